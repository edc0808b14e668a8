/** Makes a data directory with a synthetic past: journal, archive, feed and analytics with as many logs as are asked for. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import path from 'node:path';
import { DATABASE_FILE } from '../../src/journal/sqlite-journal.ts';
import { historySpan } from './history.ts';
import type { AnalyticsOrder, GrowMessage, JournalOrder } from './messages.ts';

export interface Grown {
  readonly logs: number;
  readonly ids: 'v7' | 'v4';
  /** The month that the plays lie in; milliseconds since 1970 UTC. */
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
  readonly logsPerSecond: number;
}

const FILE_WITHIN_MS = 30_000;

/** @param tell Hears now and then how far it is. @throws Error when one of the two processes fails. */
export async function grow(dataDir: string, logs: number, ids: 'v7' | 'v4', tell: (text: string) => void): Promise<Grown> {
  const { from, to } = historySpan(Date.now());
  const started = performance.now();
  const far = { stored: 0, loaded: 0, merging: 0 };
  const onMessage = (message: GrowMessage): void => {
    if (message.type === 'merging') far.merging = message.parts;
    else far[message.type] = message.logs;
  };
  const timer = setInterval(() => tell(progressOf(far, logs, (performance.now() - started) / 1000)), 1_000);
  const children: ChildProcess[] = [];
  const begin = (file: string, order: JournalOrder | AnalyticsOrder): Promise<void> => {
    const child = fork(new URL(file, import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    children.push(child);
    child.on('message', onMessage);
    child.send(order);
    return ended(child, file);
  };
  try {
    const writing = begin('./journal-process.ts', { dataDir, history: { seed: 7, logs, ids, from, to } });
    const file = path.join(dataDir, DATABASE_FILE);
    await Promise.race([present(file), writing]);
    await Promise.all([writing, begin('./analytics-process.ts', { dataDir, logs })]);
  } finally {
    clearInterval(timer);
    for (const child of children) child.kill('SIGKILL');
  }
  const seconds = (performance.now() - started) / 1000;
  return { logs, ids, from, to, seconds, logsPerSecond: logs / seconds };
}

function progressOf(far: { stored: number; loaded: number; merging: number }, logs: number, seconds: number): string {
  const part = (done: number): string => `${((100 * done) / logs).toFixed(0)} %`;
  const merging = far.loaded >= logs ? `, merging ${far.merging} parts` : '';
  return `${part(far.stored)} of ${logs} logs stored, ${part(far.loaded)} loaded into analytics after ${seconds.toFixed(0)} s${merging}`;
}

async function present(file: string): Promise<void> {
  const until = performance.now() + FILE_WITHIN_MS;
  while (!existsSync(file)) {
    if (performance.now() > until) throw new Error(`${file} was not made within ${FILE_WITHIN_MS / 1000} s`);
    await sleep(20);
  }
}

async function ended(child: ChildProcess, name: string): Promise<void> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`${name} ended with ${signal ?? `code ${code}`}`);
}
