/** `playproof demo`: the service on a data directory of its own, with a simulated fleet, for half a minute. */
import type { Command } from 'commander';
import { CommandFailed, EXIT_USAGE } from './errors.ts';
import { load } from './later.ts';

const DEFAULT_SECONDS = 30;
const DEFAULT_SCREENS = 24;
const MAX_SECONDS = 86_400;
const MAX_SCREENS = 1_000;
const MAX_SEED = 2 ** 32 - 1;

export interface DemoOptions {
  /** Null: until it is stopped. */
  readonly forMs: number | null;
  readonly screens: number;
  readonly seed: number;
}

/** Promised by src/demo/main.ts. Answers the exit code: 0 where the report equals the fleet's own ledger. */
interface DemoModule {
  readonly demo: (options: DemoOptions) => Promise<number>;
}

export function addDemo(program: Command): void {
  program
    .command('demo')
    .description('run the service with a simulated fleet and show what became of every log')
    .option('--for <seconds>', `how long the fleet plays (${DEFAULT_SECONDS})`, whole(1, MAX_SECONDS))
    .option('--forever', 'until Ctrl-C')
    .option('--screens <number>', `how many screens (${DEFAULT_SCREENS})`, whole(1, MAX_SCREENS))
    .option('--seed <number>', 'which run; the same seed plays the same (1)', whole(0, MAX_SEED))
    .action(async (options: { for?: number; forever?: true; screens?: number; seed?: number }) => {
      if (options.forever && options.for !== undefined) throw new CommandFailed('Say --for or --forever, not both.', EXIT_USAGE);
      const { demo } = await load<DemoModule>('src/demo/main.ts');
      process.exitCode = await demo({
        forMs: options.forever ? null : (options.for ?? DEFAULT_SECONDS) * 1000,
        screens: options.screens ?? DEFAULT_SCREENS,
        seed: options.seed ?? 1,
      });
    });
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new CommandFailed(`"${text}" is not a whole number from ${min} to ${max}.`, EXIT_USAGE);
    return value;
  };
}
