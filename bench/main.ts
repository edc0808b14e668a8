/** `playproof bench`: what the whole path carries on this machine, beside what its processor can verify. */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { runKafkaBench } from './kafka-main.ts';
import { isForKafka } from './kafka-options.ts';
import { describeMachine, measureVerifySpeed } from './machine.ts';
import { type Measured, measure, type Scenario } from './measure.ts';
import { type BenchOptions, HELP, readOptions } from './options.ts';
import { type BenchResult, describe, describeStages, holdAgainstTargets } from './report.ts';
import { runStages } from './stages.ts';

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
  const directory = options.dir ?? os.tmpdir();
  if (options.stages) {
    console.log(describeStages(await runStages(directory, tell)).join('\n'));
    return 0;
  }
  const startedAt = new Date().toISOString();
  const machine = describeMachine(directory);
  tell('how many signatures this machine verifies');
  const before = await measureVerifySpeed();
  const runs: Measured[] = [];
  for (const scenario of scenarios(options)) {
    tell(`${scenario.name}: ${scenario.about}`);
    runs.push(
      await measure(scenario, {
        directory,
        prepareMegabytes: options.prepareMegabytes,
        profile: options.profile,
        stored: null,
        onSecond: ({ name }, { second, logs, p50, p99, failed }) =>
          tell(`${name} ${second} s: ${logs} logs/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${failed} failed`),
      }),
    );
  }
  tell('how many signatures it verifies now');
  const verify = { before, after: await measureVerifySpeed() };
  tell('');
  const { seconds, ids, prepareMegabytes } = options;
  const targets = holdAgainstTargets(runs, verify);
  const result: BenchResult = { format: 1, startedAt, machine, verify, options: { seconds, ids, prepareMegabytes }, runs, targets };
  console.log(describe(result));
  writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`All figures: ${options.json}`);
  return runs.some(({ faults }) => faults.length > 0) ? EXIT_WRONG : 0;
}

function scenarios({ seconds, rate, ids, only }: BenchOptions): Scenario[] {
  const all: Scenario[] = [
    {
      name: 'batch',
      about: '16 connections, each sends 100 logs as soon as the last 100 are answered',
      load: { batch: 100, connections: 16, seconds, rate: null },
      ids,
    },
    {
      name: 'single',
      about: '128 connections, each sends one log as soon as the last one is answered',
      load: { batch: 1, connections: 128, seconds, rate: null },
      ids,
    },
    {
      name: 'open',
      about: `${rate} logs a second in batches of 100 at random instants, whatever comes back`,
      load: { batch: 100, connections: 64, seconds, rate },
      ids,
      follow: true,
    },
  ];
  return all.filter(({ name }) => only.some((wanted) => wanted === name));
}

/** One line that is written over and over on a terminal; elsewhere a line each time. */
function tell(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${text}`);
  else if (text !== '') process.stderr.write(`${text}\n`);
}
