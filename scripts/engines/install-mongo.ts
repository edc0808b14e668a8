/** SecantusDB from PyPI, in a Python environment of its own. */
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory, completeMark, SECANTUS_VERSION, secantusServer } from './places.ts';
import { InstallError, run, say } from './run.ts';
import { needCommands } from './system-packages.ts';

export async function installMongo(): Promise<void> {
  const directory = path.dirname(path.dirname(secantusServer()));
  if (existsSync(completeMark(directory))) {
    say(`SecantusDB ${SECANTUS_VERSION}: already there`);
    return;
  }
  await needCommands({ python3: 'python3-venv' });
  const version = (await run('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'])).trim();
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 3 || (major === 3 && minor < 10)) throw new InstallError(`SecantusDB needs Python 3.10 or newer; python3 is ${version}`);
  say(`SecantusDB ${SECANTUS_VERSION}: fetching from PyPI`);
  await mkdir(cacheDirectory(), { recursive: true });
  await rm(directory, { recursive: true, force: true });
  // An environment cannot be moved once made: the mark is what tells a whole one from a half one.
  await run('python3', ['-m', 'venv', directory]).catch((error: unknown) => {
    throw new InstallError(`python3 cannot make an environment; on Debian, install python3-venv\n${(error as Error).message}`, {
      cause: error,
    });
  });
  const pip = ['install', '-q', '--disable-pip-version-check', '--only-binary=:all:', `SecantusDB==${SECANTUS_VERSION}`];
  await run(path.join(directory, 'bin/pip'), pip);
  if (!existsSync(secantusServer())) throw new InstallError(`the package came without ${secantusServer()}`);
  await writeFile(completeMark(directory), `${SECANTUS_VERSION}\n`);
  say(`SecantusDB ${SECANTUS_VERSION}: installed`);
}
