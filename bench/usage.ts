/** What processes used, from Linux's /proc. Elsewhere there is none, and the figures are left out. */
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';

export interface ProcessUsage {
  /** User and system. */
  readonly cpuSeconds: number;
  /** The most it ever held. */
  readonly maxRssBytes: number;
  /** CPU seconds of its threads by name; threads that have ended are missing here. */
  readonly threads: Readonly<Record<string, number>>;
}

/** `USER_HZ` of Linux on every architecture that Node runs on. */
const TICKS = 100;

/** @returns null where there is no such process, or no /proc. */
export function usageOf(pid: number): ProcessUsage | null {
  try {
    const threads: Record<string, number> = {};
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const { name, cpuSeconds } = readStat(`/proc/${pid}/task/${thread}/stat`);
      const group = groupOf(name);
      threads[group] = (threads[group] ?? 0) + cpuSeconds;
    }
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return { cpuSeconds: readStat(`/proc/${pid}/stat`).cpuSeconds, maxRssBytes: Number(peak ?? 0) * 1024, threads };
  } catch {
    return null;
  }
}

/** What a process holds in memory now. @returns null where there is no such process, or no /proc. */
export function residentBytes(pid: number): number | null {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}

/** Seconds that all cores together were busy and idle since they were started. */
export function machineSeconds(): { readonly busy: number; readonly idle: number } {
  let busy = 0;
  let idle = 0;
  for (const { times } of os.cpus()) {
    busy += (times.user + times.nice + times.sys + times.irq) / 1000;
    idle += times.idle / 1000;
  }
  return { busy, idle };
}

/** Direct children of a process, by the thread that made them. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

export function difference(before: ProcessUsage | null, after: ProcessUsage | null): ProcessUsage | null {
  if (!before || !after) return null;
  const threads = Object.fromEntries(
    Object.entries(after.threads)
      .map(([name, seconds]) => [name, Math.round((seconds - (before.threads[name] ?? 0)) * 100) / 100] as const)
      .filter(([, seconds]) => seconds > 0),
  );
  return { cpuSeconds: after.cpuSeconds - before.cpuSeconds, maxRssBytes: after.maxRssBytes, threads };
}

/** Name and time of `/proc/…/stat`; the name stands in parentheses and may hold any character. */
function readStat(file: string): { name: string; cpuSeconds: number } {
  const text = readFileSync(file, 'utf8');
  const nameEnd = text.lastIndexOf(')');
  const fields = text.slice(nameEnd + 2).split(' ');
  return { name: text.slice(text.indexOf('(') + 1, nameEnd), cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS };
}

/** Threads that do the same under one name: `judge-1` and `judge-2` are both `judge`. */
function groupOf(name: string): string {
  if (name === 'node' || name === 'node-MainThread' || name === 'MainThread') return 'main';
  return name.replace(/[-_ ]?\d+$/, '');
}
