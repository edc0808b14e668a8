import { ConfigError } from '../config.ts';
import { Problem } from '../server/problem.ts';

/** Exit codes: 0 done, 1 it did not come out well, 2 the command was used wrongly; a command's help says where it has others. */
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** Ends the command with one sentence and an exit code. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_FAILED) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** What is told of an error on stderr. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof Problem) {
    const { fields } = error.extra;
    return fields === undefined
      ? error.detail
      : `${error.detail}\n${fields.map((field) => `  at ${field === '' ? 'the top' : field}`).join('\n')}`;
  }
  // A fault that nobody foresaw is worth its place; one with a name of its own has said what to do.
  return error instanceof ConfigError || error.name !== 'Error' ? error.message : (error.stack ?? error.message);
}
