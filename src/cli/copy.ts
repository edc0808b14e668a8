/** `playproof copy`: takes an embedded installation to the distributed engines. */
import path from 'node:path';
import type { Command } from 'commander';
import { type Config, loadConfig, readEnvironment } from '../config.ts';
import type { RunCopyOptions } from '../copy/main.ts';
import { CommandFailed, EXIT_USAGE } from './errors.ts';
import { load } from './later.ts';
import { onStopSignal } from './signals.ts';

/** Promised by src/copy/main.ts. */
interface CopyModule {
  readonly runCopy: (config: Config, options: RunCopyOptions) => Promise<number>;
  readonly undoCopy: (from: string) => string;
}

interface Options {
  readonly from: string;
  readonly dryRun?: true;
  readonly undo?: true;
  readonly json?: true;
}

export function addCopy(program: Command): void {
  program
    .command('copy')
    .description('take a stopped embedded installation to the engines that the settings name: feed, archive, quarantine, registry, tokens')
    .requiredOption('--from <dir>', 'data directory of the embedded installation')
    .option('--dry-run', 'say what would be done and change nothing')
    .option('--undo', 'let the embedded installation be started again; what was copied stays there')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nThe engines are those of PLAYPROOF_PROFILE=cluster or edge. What was copied is never copied twice: after a crash, or when an engine was\n' +
        'away, the same command goes on. Exit 0: everything is there. 3: it is, and what is named stands otherwise there. 1: it is not finished.',
    )
    .action(async ({ from, dryRun, undo, json }: Options) => {
      if (undo && (dryRun ?? json)) throw new CommandFailed('--undo goes with --from alone.', EXIT_USAGE);
      const directory = path.resolve(from);
      const { runCopy, undoCopy } = await load<CopyModule>('src/copy/main.ts');
      if (undo) {
        console.log(undoCopy(directory));
        return;
      }
      const config = loadConfig(readEnvironment());
      const stopping = new AbortController();
      onStopSignal(
        () => stopping.abort(),
        () => process.exit(1),
      );
      process.exitCode = await runCopy(config, {
        from: directory,
        json: json === true,
        dryRun: dryRun === true,
        signal: stopping.signal,
      });
    });
}
