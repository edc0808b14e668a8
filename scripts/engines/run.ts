/** Runs the tools that the installer needs, and says what it does. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

const started = performance.now();

/** One line of progress, with the seconds since the start. */
export function say(line: string): void {
  process.stdout.write(`[${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s] ${line}\n`);
}

/** A fault of the machine, told without a stack. */
export class InstallError extends Error {
  override readonly name = 'InstallError';
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Lines of a failed command that are shown. */
const SHOWN_LINES = 30;
const KEPT_CHARACTERS = 200_000;

/** @throws InstallError with the end of what it wrote. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 30 * 60_000,
    });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-KEPT_CHARACTERS);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (cause) => reject(new InstallError(`${command} does not run: ${cause.message}`, { cause })));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new InstallError(`${command} ${args.join(' ')} ended with ${signal ?? code}:\n${lastLines(output)}`));
    });
  });
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-SHOWN_LINES).join('\n');
}

/** Whether a command is on the path. */
export function isOnPath(command: string): boolean {
  return (process.env['PATH'] ?? '').split(path.delimiter).some((directory) => {
    try {
      accessSync(path.join(directory, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
