/** One load over the whole path, on a service and a data directory of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkCopies, checkRun, diskUse, type DiskUse } from './check.ts';
import { Generator } from './generator.ts';
import type { Load, LoadResult, Second } from './load/messages.ts';
import { BenchService, type Progress } from './service.ts';
import { difference, machineSeconds, type ProcessUsage } from './usage.ts';

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly load: Omit<Load, 'url'>;
  readonly ids: 'v7' | 'v4';
}

export interface MeasureOptions {
  readonly directory: string;
  readonly prepareMegabytes: number;
  readonly profile: string | null;
  readonly onSecond: (scenario: Scenario, second: Second) => void;
}

/** Waiting records of the two stages behind accept, as a time: the records divided by the rate at which they came. */
export interface Lag {
  readonly settleMs: number;
  readonly analyticsMs: number;
}

export interface Measured {
  readonly scenario: Scenario;
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
  readonly service: ProcessUsage | null;
  readonly analytics: ProcessUsage | null;
  /** Part of the machine, 0 to 1, that processes took which are no part of the measurement; null where that is not known. */
  readonly takenByOthers: number | null;
  readonly disk: DiskUse;
  /** Sentences; empty when every count was right. */
  readonly faults: readonly string[];
}

const DEVICES = 64;
const WARM_UP_SECONDS = 2;
const POLL_MS = 20;
const SAMPLE_MS = 250;
const DRAIN_WITHIN_MS = 120_000;
/** Signed beforehand for each second of a closed loop; a faster machine signs the rest as it goes. */
const PREPARE_PER_SECOND = 60_000;

export async function measure(scenario: Scenario, options: MeasureOptions): Promise<Measured> {
  const dataDir = mkdtempSync(path.join(options.directory, 'playproof-bench-'));
  const generator = new Generator();
  let service: BenchService | null = null;
  try {
    const registry = await generator.fleet({ seed: 1, devices: DEVICES, ids: scenario.ids });
    const profiling = options.profile ? ['--cpu-prof', `--cpu-prof-dir=${path.resolve(options.profile)}`] : [];
    service = await BenchService.start(dataDir, profiling);
    await service.register(registry);
    return await measureRunning(scenario, options, service, generator, dataDir);
  } finally {
    service?.kill();
    await generator.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function measureRunning(
  scenario: Scenario,
  options: MeasureOptions,
  service: BenchService,
  generator: Generator,
  dataDir: string,
): Promise<Measured> {
  const load: Load = { ...scenario.load, url: service.url };
  // A tenth more than the rate: random instants may bring more than their mean.
  const perSecond = load.rate === null ? PREPARE_PER_SECOND : Math.ceil(load.rate * 1.1);
  await generator.prepare(load.batch, perSecond * WARM_UP_SECONDS, options.prepareMegabytes);
  const warm = await generator.run({ ...load, seconds: WARM_UP_SECONDS }, () => {});
  await drained(service, warm.accepted);
  await generator.prepare(load.batch, perSecond * load.seconds, options.prepareMegabytes);

  const before = service.usage();
  const others = watchOthers();
  const running = generator.run(load, (second) => options.onSecond(scenario, second));
  const worst = watchLag(service);
  const result = await running;
  const lag = await worst();
  const total = warm.accepted + result.accepted;
  const ends = await drained(service, total);
  const after = service.usage();
  const used = { service: difference(before.service, after.service), analytics: difference(before.analytics, after.analytics) };
  const takenByOthers =
    used.service && used.analytics ? others(used.service.cpuSeconds + used.analytics.cpuSeconds + result.cpuSeconds) : null;
  const faults = await checkRun(service, result, total);
  await service.stop();
  faults.push(...checkCopies(dataDir, total));
  const until = (at: number): number => (at - result.startedAt) / 1000;
  return {
    scenario,
    result,
    secondsUntilSettled: until(ends.settledAt),
    secondsUntilLoaded: until(ends.loadedAt),
    acceptedPerSecond: result.accepted / result.seconds,
    settledPerSecond: result.accepted / until(ends.settledAt),
    logsPerSecond: result.accepted / until(ends.loadedAt),
    lag,
    ...used,
    takenByOthers,
    disk: diskUse(dataDir, total),
    faults,
  };
}

/** Waits until everything accepted is settled and loaded, and says when that was. */
async function drained(service: BenchService, accepted: number): Promise<{ settledAt: number; loadedAt: number }> {
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
