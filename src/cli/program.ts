/** The command line: one file for each command, which loads what it needs only when it runs. */
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config.ts';
import { Problem } from '../server/problem.ts';
import { VERSION } from '../version.ts';
import { addAudit } from './audit.ts';
import { addBench } from './bench.ts';
import { addConfig } from './config.ts';
import { addConformance } from './conformance.ts';
import { addCopy } from './copy.ts';
import { addDemo } from './demo.ts';
import { CommandFailed, EXIT_FAILED, EXIT_USAGE } from './errors.ts';
import { addRegistry } from './registry.ts';
import { addStart } from './start.ts';
import { addToken } from './token.ts';
import { addVerify } from './verify.ts';

/** In the order of `playproof --help`. */
const COMMANDS = [addStart, addDemo, addConfig, addRegistry, addToken, addVerify, addConformance, addAudit, addCopy, addBench];

export function buildProgram(): Command {
  const program = new Command('playproof')
    .description('Proof of play for retail media: signed playback logs in, proved, settled exactly once, billed.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    // So that what follows `bench` may be handed on as it is.
    .enablePositionalOptions()
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('(`playproof --help` lists the commands, `playproof COMMAND --help` the options of one)')
    .addHelpText('after', '\nSettings are environment variables, also from a .env file here; `playproof config` lists them.');
  for (const add of COMMANDS) add(program);
  for (const command of everyCommand(program)) command.exitOverride().allowExcessArguments(false);
  return program;
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** Runs one command line; sets the exit code of the process and never throws. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    await buildProgram().parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** Tells the error on stderr and answers the exit code. */
function report(error: unknown): number {
  // Commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof CommandFailed) {
    console.error(`playproof: ${error.message}`);
    return error.exitCode;
  }
  if (error instanceof ConfigError || error instanceof Error) console.error(`playproof: ${sentence(error)}`);
  else console.error(`playproof: ${String(error)}`);
  return EXIT_FAILED;
}

function sentence(error: Error): string {
  if (error instanceof Problem) {
    const { fields } = error.extra;
    return fields === undefined
      ? error.detail
      : `${error.detail}\n${fields.map((field) => `  at ${field === '' ? 'the top' : field}`).join('\n')}`;
  }
  // A fault that nobody foresaw is worth its place; one with a name of its own has said what to do.
  return error instanceof ConfigError || error.name !== 'Error' ? error.message : (error.stack ?? error.message);
}
