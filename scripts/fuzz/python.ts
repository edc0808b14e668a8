/** A Python environment of its own for a tool from PyPI, in an exact version, outside the repository. */
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory, completeMark } from '../engines/places.ts';
import { run, say } from '../engines/run.ts';
import { needCommands } from '../engines/system-packages.ts';

export interface PythonTool {
  readonly name: string;
  readonly version: string;
}

export const SCHEMATHESIS: PythonTool = { name: 'schemathesis', version: '4.32.5' };
/** RFC 8785 by other hands than ours. */
export const RFC8785: PythonTool = { name: 'rfc8785', version: '0.1.4' };

/** Installs the tool unless that was done before. @returns the folder of its commands, `python` among them */
export async function pythonTool({ name, version }: PythonTool): Promise<string> {
  const directory = path.join(cacheDirectory(), `${name}-${version}`);
  const commands = path.join(directory, 'bin');
  if (existsSync(completeMark(directory))) return commands;
  await needCommands({ python3: 'python3-venv' });
  say(`${name} ${version}: fetching from PyPI`);
  await rm(directory, { recursive: true, force: true });
  await mkdir(cacheDirectory(), { recursive: true });
  await run('python3', ['-m', 'venv', directory]);
  await run(path.join(commands, 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `${name}==${version}`]);
  await writeFile(completeMark(directory), version);
  return commands;
}
