/** The command line: one file for each command, which loads what it needs only when it runs. */
import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.ts';
import { addAudit } from './audit.ts';
import { addBench } from './bench.ts';
import { addConfig } from './config.ts';
import { addConformance } from './conformance.ts';
import { addCopy } from './copy.ts';
import { addDemo } from './demo.ts';
import { CommandFailed, EXIT_FAILED, EXIT_USAGE, sentenceOf } from './errors.ts';
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
  console.error(`playproof: ${sentenceOf(error)}`);
  return EXIT_FAILED;
}
