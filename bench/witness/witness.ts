/**
 * The same closed loop once more by `wrk`, a load generator that others wrote: does it see the rates and latencies that ours sees?
 * It sends bodies that were signed beforehand, each once, and what it counts is held against what the service took.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type InstallationOptions, withInstallation } from '../installation.ts';
import type { Latency, LoadResult } from '../load/messages.ts';
import { drained, preparedPerSecond, warmUp } from '../measure.ts';
import { makeTemporary, removeTemporary } from '../temporary.ts';

const run = promisify(execFile);

export interface WitnessPlan {
  readonly seconds: number;
  readonly batch: 1 | 100;
  readonly connections: number;
}

export interface Witness {
  readonly plan: WitnessPlan;
  /** Null: it was run. Otherwise why not. */
  readonly skipped: string | null;
  /** Logs a second that were answered 2xx, by wrk's own count, and latencies in milliseconds. */
  readonly wrk: { readonly logsPerSecond: number; readonly latency: Latency } | null;
  /** Ours, right after it on the same service. */
  readonly ours: { readonly logsPerSecond: number; readonly latency: Latency } | null;
  readonly faults: readonly string[];
}

/** What bodies.lua prints at the end. Times in microseconds. */
export interface WrkReport {
  readonly requests: number;
  readonly spares: number;
  readonly microseconds: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
  readonly status: number;
  readonly socket: number;
  readonly timeout: number;
}

const SCRIPT = fileURLToPath(new URL('./bodies.lua', import.meta.url));
const THREADS = 2;
const TIMEOUT_SECONDS = 30;

export async function runWitness(plan: WitnessPlan, options: InstallationOptions): Promise<Witness> {
  const skipped = await notInstalled();
  if (skipped !== null) return { plan, skipped, wrk: null, ours: null, faults: [] };
  const bodies = makeTemporary(options.directory, 'playproof-bodies-');
  try {
    return await withInstallation(options, async (installation) => {
      const { service, generator } = installation;
      const { batch, connections, seconds } = plan;
      const load = { url: service.url, batch, connections, seconds, rate: null };
      const warm = await warmUp(installation, load, options.prepareMegabytes);
      const beginning = path.join(bodies, 'bodies');
      const files = Array.from({ length: THREADS }, (_, part) => `${beginning}.${part}`);
      // Where a faster machine has sent them all, wrk ends early.
      await generator.write(batch, preparedPerSecond(load) * seconds, files);
      const report = await runWrk(plan, service.url, beginning);
      const faults: string[] = [];
      // What was on its way at the end was taken and not counted by wrk; so both lie apart by what is in flight at most.
      const counted = (report.requests - report.spares - report.status) * batch;
      const { accepted } = await service.progress();
      const most = counted + connections * batch;
      if (accepted - warm < counted || accepted - warm > most) {
        faults.push(`wrk counts ${counted} logs answered 2xx, and the service accepted ${accepted - warm}`);
      }
      if (report.status + report.socket + report.timeout > 0) faults.push(`requests of wrk failed: ${JSON.stringify(report)}`);
      await drained(service, accepted);
      await generator.prepare(batch, preparedPerSecond(load) * seconds, options.prepareMegabytes);
      const ours = await generator.run(load, () => {});
      await drained(service, accepted + ours.accepted);
      await service.stop();
      return { plan, skipped, wrk: rateOf(report, batch), ours: oursOf(ours), faults };
    });
  } finally {
    removeTemporary(bodies);
  }
}

async function notInstalled(): Promise<string | null> {
  try {
    await run('wrk', ['-v']);
    return null;
  } catch (error) {
    // With -v it prints its version and ends with 1.
    if ((error as { code?: unknown }).code !== 'ENOENT') return null;
    return 'wrk is not installed; `apt-get install wrk` on Debian brings it';
  }
}

async function runWrk({ batch, connections, seconds }: WitnessPlan, url: string, beginning: string): Promise<WrkReport> {
  const where = `/api/v1/playback-logs${batch === 1 ? '' : '/batch'}`;
  const options = ['-t', String(THREADS), '-c', String(connections), '-d', `${seconds}s`, '--timeout', `${TIMEOUT_SECONDS}s`, '-s', SCRIPT];
  const { stdout } = await run('wrk', [...options, url, '--', beginning, where]);
  return readWrk(stdout);
}

/** The line of JSON in what wrk printed. @throws Error when there is none. */
export function readWrk(output: string): WrkReport {
  const line = output.split('\n').find((text) => text.startsWith('{"requests":'));
  if (line === undefined) throw new Error(`wrk printed no figures: ${output.slice(-500)}`);
  return JSON.parse(line) as WrkReport;
}

export function rateOf(report: WrkReport, batch: number): { logsPerSecond: number; latency: Latency } {
  const milliseconds = (microseconds: number): number => microseconds / 1000;
  return {
    logsPerSecond: ((report.requests - report.spares - report.status) * batch) / (report.microseconds / 1e6),
    latency: {
      p50: milliseconds(report.p50),
      p90: milliseconds(report.p90),
      p99: milliseconds(report.p99),
      max: milliseconds(report.max),
    },
  };
}

function oursOf({ accepted, seconds, latency }: LoadResult): { logsPerSecond: number; latency: Latency } {
  return { logsPerSecond: accepted / seconds, latency };
}
