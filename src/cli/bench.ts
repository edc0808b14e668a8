/** `playproof bench`: throughput and latency of the whole path, beside the speed of `openssl` on the same machine. */
import type { Command } from 'commander';
import { load } from './later.ts';

/** Promised by bench/main.ts. Takes its own arguments and answers the exit code. */
interface BenchModule {
  readonly runBench: (args: readonly string[]) => Promise<number>;
}

export function addBench(program: Command): void {
  program
    .command('bench')
    .description('measure accept, settle and analytics on a data directory of its own')
    .argument('[args...]', 'handed on to the benchmark; `playproof bench --help` lists them')
    // The benchmark reads its own options, `--help` among them.
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (args: string[]) => {
      const { runBench } = await load<BenchModule>('bench/main.ts');
      process.exitCode = await runBench(args);
    });
}
