/** One load over the whole path, on a service and a data directory of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import { checkCopies, checkRun, diskUse, type DiskUse, walSize } from './check.ts';
import { type Installation, type InstallationOptions, withInstallation } from './installation.ts';
import type { Load, LoadResult, Second } from './load/messages.ts';
import { type MemorySample, watchMemory } from './memory.ts';
import type { BenchService, Progress, StartUp } from './service.ts';
import { difference, machineSeconds, type ProcessUsage } from './usage.ts';
import { type Delays, delaysOf, follow } from './visibility.ts';

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly load: Omit<Load, 'url'>;
  readonly ids: 'v7' | 'v4';
  /** Follows feed and report while the load runs; for a load with a rate. */
  readonly follow?: boolean;
}

export interface MeasureOptions extends Omit<InstallationOptions, 'ids'> {
  readonly onSecond: (scenario: Scenario, second: Second) => void;
  /** Called when the service has started and nothing was sent. */
  readonly started?: (service: BenchService) => Promise<void>;
  /** Called once the service has stopped and the counts are checked, while its data are still there. */
  readonly inspect?: (dataDir: string, logs: number) => Promise<void>;
}

/** Waiting records of the two stages behind accept, as a time: the records divided by the rate at which they came. */
export interface Lag {
  readonly settleMs: number;
  readonly analyticsMs: number;
}

export interface Measured {
  readonly scenario: Scenario;
  readonly startUp: StartUp;
  readonly result: LoadResult;
  /** From the first request on. */
  readonly secondsUntilSettled: number;
  readonly secondsUntilLoaded: number;
  readonly acceptedPerSecond: number;
  readonly settledPerSecond: number;
  /** The figure that counts: signature, durable answer, settled, loaded. */
  readonly logsPerSecond: number;
  /** The longest seen while the load ran. */
  readonly lag: Lag;
  /** From receipt on; null where they were not followed, or not to the end. */
  readonly visible: { readonly feed: Delays | null; readonly report: Delays | null } | null;
  readonly memory: readonly MemorySample[];
  readonly service: ProcessUsage | null;
  readonly analytics: ProcessUsage | null;
  /** Part of the machine, 0 to 1, that processes took which are no part of the measurement; null where that is not known. */
  readonly takenByOthers: number | null;
  readonly disk: DiskUse;
  /** Sentences; empty when every count was right. */
  readonly faults: readonly string[];
}

const WARM_UP_SECONDS = 2;
const POLL_MS = 20;
const SAMPLE_MS = 250;
const DRAIN_WITHIN_MS = 120_000;
/** Signed beforehand for each second of a closed loop; a faster machine signs the rest as it goes. */
const PREPARE_PER_SECOND = 60_000;
const PREPARE_SINGLES_PER_SECOND = 25_000;
/** The last logs of a load are followed by nothing that would show when they were seen. */
const UNFOLLOWED_MS = 500;

export function measure(scenario: Scenario, options: MeasureOptions): Promise<Measured> {
  return withInstallation({ ...options, ids: scenario.ids }, (installation) => measureRunning(scenario, options, installation));
}

async function measureRunning(scenario: Scenario, options: MeasureOptions, installation: Installation): Promise<Measured> {
  const { service, generator, dataDir, stored } = installation;
  const load: Load = { ...scenario.load, url: service.url };
  await options.started?.(service);
  const warm = await warmUp(installation, load, options.prepareMegabytes);
  await generator.prepare(load.batch, preparedPerSecond(load) * load.seconds, options.prepareMegabytes);

  const before = service.usage();
  const others = watchOthers();
  const following = scenario.follow ? follow(service, stored + warm, load.rate ?? 0) : null;
  const memory = watchMemory(service);
  const running = generator.run(load, (second) => options.onSecond(scenario, second));
  const worst = watchLag(service);
  const result = await running;
  const lag = await worst();
  const followed = await following?.();
  const total = warm + result.accepted;
  const ends = await drained(service, total);
  const samples = memory();
  const after = service.usage();
  const used = { service: difference(before.service, after.service), analytics: difference(before.analytics, after.analytics) };
  const takenByOthers =
    used.service && used.analytics ? others(used.service.cpuSeconds + used.analytics.cpuSeconds + result.cpuSeconds) : null;
  const faults = await checkRun(service, result, total);
  const walBytes = walSize(dataDir);
  await service.stop();
  faults.push(...checkCopies(dataDir, stored + total, stored));
  const disk = diskUse(dataDir, stored + total, walBytes);
  await options.inspect?.(dataDir, stored + total);
  const until = (at: number): number => (at - result.startedAt) / 1000;
  const [from, to] = [result.startedAt, result.startedAt + load.seconds * 1000 - UNFOLLOWED_MS];
  return {
    scenario,
    startUp: service.startUp,
    result,
    secondsUntilSettled: until(ends.settledAt),
    secondsUntilLoaded: until(ends.loadedAt),
    acceptedPerSecond: result.accepted / result.seconds,
    settledPerSecond: result.accepted / until(ends.settledAt),
    logsPerSecond: result.accepted / until(ends.loadedAt),
    lag,
    visible: followed ? { feed: delaysOf(followed.feed, from, to), report: delaysOf(followed.report, from, to) } : null,
    memory: samples,
    ...used,
    takenByOthers,
    disk,
    faults,
  };
}

/** Logs that a load of this kind should have ready for each of its seconds. */
export function preparedPerSecond({ rate, batch }: Pick<Load, 'rate' | 'batch'>): number {
  // A tenth more than the rate: random instants may bring more than their mean.
  if (rate !== null) return Math.ceil(rate * 1.1);
  return batch === 1 ? PREPARE_SINGLES_PER_SECOND : PREPARE_PER_SECOND;
}

/** Runs the load until code is compiled and caches are filled. @returns how many logs it left behind, all of them loaded. */
export async function warmUp({ service, generator }: Installation, load: Load, prepareMegabytes: number): Promise<number> {
  await generator.prepare(load.batch, preparedPerSecond(load) * WARM_UP_SECONDS, prepareMegabytes);
  const warm = await generator.run({ ...load, seconds: WARM_UP_SECONDS }, () => {});
  await drained(service, warm.accepted);
  return warm.accepted;
}

/** Waits until everything that this process accepted is settled and loaded, and says when that was. */
export async function drained(service: BenchService, accepted: number): Promise<{ settledAt: number; loadedAt: number }> {
  const until = performance.now() + DRAIN_WITHIN_MS;
  let settledAt: number | null = null;
  for (;;) {
    const progress = await service.progress();
    const now = Date.now();
    if (progress.unsettled === 0 && progress.accepted >= accepted) settledAt ??= now;
    if (settledAt !== null && progress.loadedRows >= accepted) return { settledAt, loadedAt: now };
    if (performance.now() > until)
      throw new Error(`not settled and loaded within ${DRAIN_WITHIN_MS / 1000} s: ${JSON.stringify(progress)}`);
    await sleep(POLL_MS);
  }
}

/** The returned function ends it: handed the CPU seconds of the processes under measurement, it says what part others took. */
function watchOthers(): (ours: number) => number {
  const machine = machineSeconds();
  const own = process.cpuUsage();
  return (ours) => {
    const { busy, idle } = machineSeconds();
    const { user, system } = process.cpuUsage(own);
    const all = busy - machine.busy + idle - machine.idle;
    return Math.max(0, busy - machine.busy - ours - (user + system) / 1e6) / all;
  };
}

/** Looks now and then how far settling and analytics are behind. The returned function ends it and tells the worst. */
function watchLag(service: BenchService): () => Promise<Lag> {
  let settleMs = 0;
  let analyticsMs = 0;
  const stop = new AbortController();
  const watch = async (): Promise<void> => {
    let last: { readonly at: number; readonly progress: Progress } | null = null;
    while (!stop.signal.aborted) {
      const progress = await service.progress();
      const at = performance.now();
      const rate = last ? (progress.accepted - last.progress.accepted) / (at - last.at) : 0;
      if (rate > 0) {
        settleMs = Math.max(settleMs, progress.unsettled / rate);
        analyticsMs = Math.max(analyticsMs, (progress.unsettled + progress.unloaded) / rate);
      }
      last = { at, progress };
      await sleep(SAMPLE_MS);
    }
  };
  const watching = watch();
  return async () => {
    stop.abort();
    await watching;
    return { settleMs, analyticsMs };
  };
}
