/** `playproof bench`: what the whole path carries on this machine, beside what its processor can verify. */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import type { Context, Outcome } from './context.ts';
import { enginesAreThere, runKafkaBench } from './kafka-main.ts';
import { isForKafka } from './kafka-options.ts';
import { pageOf } from './load-charts.ts';
import { describeMachine } from './machine.ts';
import { runMode } from './modes.ts';
import { removeAtExit } from './temporary.ts';
import { type BenchOptions, HELP, readOptions } from './options.ts';

const EXIT_WRONG = 1;
const EXIT_USAGE = 2;

/** @returns the exit code: 0, 1 where a count was wrong, 2 for options that cannot be. A slow machine is no failure. */
export async function runBench(args: readonly string[]): Promise<number> {
  if (isForKafka(args)) return runKafkaBench(args, tell);
  let options: BenchOptions;
  try {
    options = readOptions(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    return EXIT_USAGE;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  removeAtExit();
  const directory = options.dir ?? os.tmpdir();
  const context: Context = {
    options,
    directory,
    tell,
    startedAt: new Date().toISOString(),
    machine: describeMachine(directory),
    // Saved after each part: half an hour of figures is not lost with the last of them.
    save: (figures) => writeFileSync(options.json, `${JSON.stringify(figures, null, 2)}\n`),
  };
  const outcome = await runMode(options.mode, context);
  tell('');
  console.log(outcome.text.join('\n'));
  const code = finish(outcome, context);
  return options.mode.name === 'table' ? Math.max(code, await distributed(options.mode.quick)) : code;
}

/** The lines of the table that need Kafka, MongoDB and ClickHouse. */
async function distributed(quick: boolean): Promise<number> {
  if (!enginesAreThere()) {
    console.log(
      '\nNot run: Kafka against Bento, and the whole path on the three engines; `npm run engines:install` brings what they need.',
    );
    return 0;
  }
  console.log('');
  return runKafkaBench(['--only', 'kafka,cluster', ...(quick ? ['--seconds', '4', '--rounds', '1'] : [])], tell);
}

function finish({ figures, drawn, faults }: Outcome, { options, machine, startedAt, save }: Context): number {
  if (figures) {
    save(figures);
    console.log(`All figures: ${options.json}`);
  }
  if (drawn.length > 0) {
    writeFileSync(options.html, pageOf(machine, startedAt, drawn));
    console.log(`Charts: ${options.html}`);
  }
  return faults.length > 0 ? EXIT_WRONG : 0;
}

/** One line that is written over and over on a terminal; elsewhere a line each time. */
function tell(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${text}`);
  else if (text !== '') process.stderr.write(`${text}\n`);
}
