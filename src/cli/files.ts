/** Files that commands are given: read whole, within a bound, with a sentence for every way that can fail. */
import { readFileSync, statSync } from 'node:fs';
import { CommandFailed } from './errors.ts';

/** @throws CommandFailed */
export function readBounded(file: string, maxBytes: number): Buffer<ArrayBuffer> {
  try {
    const stat = statSync(file);
    if (!stat.isFile()) throw new CommandFailed(`${file} is not a file.`);
    if (stat.size > maxBytes) throw new CommandFailed(`${file} has ${stat.size} bytes; at most ${maxBytes} are read.`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandFailed(code === 'ENOENT' ? `There is no file ${file}.` : `${file} cannot be read (${code ?? String(error)}).`);
  }
}
