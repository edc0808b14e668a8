/** `playproof audit` over a stopped installation: how long it takes and what memory it needs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { withoutSettings } from './service.ts';
import { childrenOf, usageOf } from './usage.ts';

export interface AuditRun {
  readonly clean: boolean;
  readonly plays: number;
  readonly seconds: number;
  /** The most that its processes ever held, each by itself, together. */
  readonly peakBytes: number | null;
  readonly faults: readonly string[];
}

const PROGRAM = fileURLToPath(new URL('../bin/playproof.mjs', import.meta.url));
const LOOK_MS = 200;
const KEPT_OUTPUT = 2_000;

/** @param tell Hears each second how long it has been running. */
export async function runAudit(dataDir: string, logs: number, tell: (text: string) => void): Promise<AuditRun> {
  const started = performance.now();
  const child = spawn(process.execPath, [PROGRAM, 'audit', '--signatures', 'none', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...withoutSettings(process.env), PLAYPROOF_DATA_DIR: dataDir },
  });
  const ended = once(child, 'exit');
  const outputs = Promise.all([text(child.stdout), text(child.stderr)]);
  const peaks = new Map<number, number>();
  for (let told = 0; child.exitCode === null && child.signalCode === null; ) {
    for (const pid of child.pid === undefined ? [] : [child.pid, ...childrenOf(child.pid)]) {
      const usage = usageOf(pid);
      if (usage) peaks.set(pid, Math.max(peaks.get(pid) ?? 0, usage.maxRssBytes));
    }
    const seconds = Math.floor((performance.now() - started) / 1000);
    if (seconds > told) tell(`audit of ${logs} logs: ${seconds} s`);
    told = seconds;
    await Promise.race([ended, sleep(LOOK_MS)]);
  }
  const [code] = (await ended) as [number | null];
  const [output, errors] = await outputs;
  const seconds = (performance.now() - started) / 1000;
  const peakBytes = peaks.size === 0 ? null : [...peaks.values()].reduce((sum, bytes) => sum + bytes, 0);
  return { ...outcomeOf(code, output, errors, logs), seconds, peakBytes };
}

function outcomeOf(code: number | null, output: string, errors: string, logs: number): Pick<AuditRun, 'clean' | 'plays' | 'faults'> {
  let plays = 0;
  let clean = false;
  try {
    const result = JSON.parse(output) as { clean: boolean; counts: { plays: number } };
    plays = result.counts.plays;
    clean = result.clean && code === 0;
  } catch {
    return { clean, plays, faults: [`the audit ended with code ${String(code)}: ${errors.slice(-KEPT_OUTPUT)}`] };
  }
  const faults: string[] = [];
  if (!clean) faults.push(`the audit found differences: ${output.slice(0, KEPT_OUTPUT)}`);
  if (plays !== logs) faults.push(`the audit counts ${plays} plays where ${logs} were stored`);
  return { clean, plays, faults };
}
