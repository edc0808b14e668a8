/** Each stage of the way of a log alone, in CPU time: what the whole path's cost is made of. */
import { judgeStages } from './stages-judge.ts';
import { storageStages } from './stages-storage.ts';
import { makeTemporary, removeTemporary } from './temporary.ts';

export interface StageCost {
  readonly name: string;
  /** The thread or process that pays for it in the service. */
  readonly where: 'judge' | 'writer' | 'checkpoint' | 'analytics' | 'reader';
  /** CPU microseconds a log, user and system, of all threads of the process: so with their garbage collection. */
  readonly cpuMicros: number;
  /** Whether it is part of every log's way, and so of the sum. */
  readonly inSum: boolean;
}

const BATCH = 100;
const BATCHES = 200;

/** @param directory On the disk that the data would lie on. */
export async function runStages(directory: string, tell: (text: string) => void): Promise<StageCost[]> {
  const dataDir = makeTemporary(directory, 'playproof-stages-');
  try {
    const judged = await judgeStages(BATCH, BATCHES, tell);
    return [...judged.costs, ...(await storageStages(judged, dataDir, BATCH * BATCHES, tell))];
  } finally {
    removeTemporary(dataDir);
  }
}

/** Runs `work` until its code is compiled, then takes the cheapest of three rounds: what disturbs only adds. */
export async function cpuMicros(logs: number, work: () => unknown, rounds = 3): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round <= rounds; round += 1) {
    const micros = (await cpuOf(work)) / logs;
    if (round > 0) least = Math.min(least, micros);
  }
  return least;
}

/** CPU microseconds of this process while `work` ran. */
export async function cpuOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
