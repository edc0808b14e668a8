/** `playproof bench --only kafka|cluster` and `--capacity`: the distributed half of the benchmarks. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { installBento } from '../scripts/engines/install-bento.ts';
import { bentoProgram, CLIENT_FOLDER, completeMark, kafkaLibraries, secantusServer } from '../scripts/engines/places.ts';
import { isOnPath } from '../scripts/engines/run.ts';
import { ASSUMED, type Assumptions } from './capacity.ts';
import { describeCapacity } from './capacity-report.ts';
import { type Appending, describeJournal, runJournal } from './kafka-journal.ts';
import { KAFKA_HELP, type KafkaOptions, readKafkaOptions } from './kafka-options.ts';
import { runWholePath, type WholePath } from './kafka-path.ts';
import { type Race, runRace } from './kafka-race.ts';
import { describePath, describeRace, describeTargets } from './kafka-report.ts';
import { pathTargets, raceTargets } from './kafka-summary.ts';
import { describeMachine, type Machine, measureVerifySpeed, type VerifySpeed } from './machine.ts';
import type { Target } from './report.ts';

const EXIT_WRONG = 1;
const EXIT_USAGE = 2;

export interface KafkaResult {
  readonly format: 1;
  readonly startedAt: string;
  readonly machine: Machine;
  readonly verify: VerifySpeed;
  readonly rate: number;
  readonly steady: number;
  readonly kafka: Race | null;
  readonly journal: readonly Appending[] | null;
  readonly cluster: WholePath | null;
  readonly targets: readonly Target[];
}

/** @returns the exit code: 0, 1 where a count was wrong, 2 for options that cannot be. A slow machine is no failure. */
export async function runKafkaBench(args: readonly string[], tell: (text: string) => void): Promise<number> {
  if (args.includes('--help')) {
    console.log(KAFKA_HELP);
    return 0;
  }
  let options: KafkaOptions;
  try {
    options = readKafkaOptions(args);
    if (options.capacity) return capacity(options);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${KAFKA_HELP}`);
    return EXIT_USAGE;
  }
  const { only, rate, steady } = options;
  const startedAt = new Date().toISOString();
  const machine = describeMachine(options.directory);
  tell('how many signatures this machine verifies');
  const verify = await measureVerifySpeed();
  const kafka = only.includes('kafka') ? await runRace(options, await peerIsThere(tell), tell) : null;
  const journal = only.includes('journal') ? await runJournal(options, tell) : null;
  const cluster = only.includes('cluster') ? await runWholePath(options, tell) : null;
  tell('');
  const targets = [...(kafka ? raceTargets(kafka, rate) : []), ...(cluster ? pathTargets(cluster, steady) : [])];
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.os}; data on ${machine.fileSystem}; Node ${machine.node}`,
    `${verify.source}: ${Math.round(verify.perSecond)} RSA-2048 verifications/s on one core`,
    ...(kafka ? ['', ...describeRace(kafka, rate)] : []),
    ...(journal ? ['', ...describeJournal(journal, rate)] : []),
    ...(cluster ? ['', ...describePath(cluster, steady)] : []),
    ...(targets.length > 0 ? ['', ...describeTargets(targets)] : []),
  ];
  console.log(lines.join('\n'));
  const earlier = existsSync(options.json) ? read(options.json) : null;
  const result: KafkaResult = {
    format: 1,
    startedAt,
    machine,
    verify,
    rate,
    steady,
    kafka: kafka ?? earlier?.kafka ?? null,
    journal: journal ?? earlier?.journal ?? null,
    cluster: cluster ?? earlier?.cluster ?? null,
    targets,
  };
  writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`All figures: ${options.json}`);
  return [...(kafka?.faults ?? []), ...(cluster?.faults ?? [])].length > 0 ? EXIT_WRONG : 0;
}

/** Whether `npm run engines:install` was run on this machine. */
export function enginesAreThere(): boolean {
  return existsSync(completeMark(kafkaLibraries())) && existsSync(secantusServer()) && existsSync(path.join(CLIENT_FOLDER, 'node_modules'));
}

/** Builds the peer where that was not done yet. Without Go there is none, and the reason is said. */
async function peerIsThere(tell: (text: string) => void): Promise<boolean> {
  if (existsSync(completeMark(path.dirname(bentoProgram())))) return true;
  if (isOnPath('go')) {
    await installBento();
    return true;
  }
  tell('SKIPPED: the race against Bento, which is built with Go, and there is no Go on the path. Ours runs alone.');
  return false;
}

function read(file: string): KafkaResult {
  const result = JSON.parse(readFileSync(file, 'utf8')) as KafkaResult;
  if (result.format !== 1) throw new Error(`${file} is of format ${String(result.format)}, this program reads 1; measure again`);
  return result;
}

/** @throws Error with a sentence. */
function capacity({ json, assume }: KafkaOptions): number {
  if (!existsSync(json)) throw new Error(`${json} is not there; run \`npm run bench -- --only kafka,cluster\` first`);
  const { cluster, machine } = read(json);
  if (!cluster) throw new Error(`${json} has no figures of the whole path; run \`npm run bench -- --only cluster\` first`);
  for (const name of assume.keys()) {
    if (!(name in ASSUMED)) throw new Error(`--assume names "${name}"; it may name ${Object.keys(ASSUMED).join(', ')}`);
  }
  const assumptions = { ...ASSUMED, ...Object.fromEntries(assume) } as Assumptions;
  console.log(describeCapacity(cluster, assumptions, machine.cpu).join('\n'));
  return 0;
}
