/** The settling process as a process: what its parent, signals and a lost position do to it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { SettleStatus } from '../../../src/settle/settle-messages.ts';
import { freePort } from '../../../scripts/engines/ports.ts';
import { playOf } from '../../support/feed-file.ts';
import { playEntry } from '../../support/journal-entries.ts';
import { isAlive } from '../../support/service.ts';
import { startKafka } from '../support/engines.ts';
import type { FromParent, ParentOptions } from './settle-parent.ts';
import { freshPlace, type Place, put, witnessFeed } from './support.ts';

const PARENT = path.join(import.meta.dirname, 'settle-parent.ts');
const TEST_MS = 180_000;

let kafka: Awaited<ReturnType<typeof startKafka>>;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(() => kafka.dispose());

class Parent {
  readonly process: ChildProcess = fork(PARENT, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  readonly statuses: SettleStatus[] = [];
  pid = 0;
  ended: { readonly code: number | null } | null = null;

  private constructor(options: ParentOptions) {
    this.process.on('message', (message: FromParent) => {
      if (message.type === 'child') this.pid = message.pid;
      else if (message.type === 'ended') this.ended = { code: message.code };
      else if (message.message.type === 'status') this.statuses.push(message.message.status);
    });
    this.process.send(options);
  }

  /** No MongoDB listens: without a record to settle none is needed. */
  static async of({ settings, names, groupId }: Place): Promise<Parent> {
    return new Parent({ settings, names, groupId, mongodbUrl: `mongodb://127.0.0.1:${await freePort()}` });
  }

  async until(what: () => boolean): Promise<void> {
    while (!what()) await sleep(20);
  }

  async untilState(state: SettleStatus['state']): Promise<void> {
    await this.until(() => this.statuses.at(-1)?.state === state);
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }
}

const parents: Parent[] = [];
afterEach(async () => {
  for (const parent of parents.splice(0)) await parent.kill();
});

async function start(place: Place): Promise<Parent> {
  const parent = await Parent.of(place);
  parents.push(parent);
  return parent;
}

function groupOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Behind the name in parentheses: state, parent, group.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
}

test('it settles in the group of its parent, leaves signals to that, and ends when it is told to', { timeout: TEST_MS }, async () => {
  const parent = await start(await freshPlace(kafka.bootstrap, 1));
  await parent.untilState('settling');
  expect(groupOf(parent.pid)).toBe(groupOf(parent.process.pid as number));
  process.kill(parent.pid, 'SIGTERM');
  process.kill(parent.pid, 'SIGINT');
  const { length } = parent.statuses;
  await parent.until(() => parent.statuses.length > length + 3);
  expect(parent.statuses.at(-1)).toMatchObject({ state: 'settling', backlog: 0, lastError: null });
  parent.process.send('stop');
  await parent.until(() => parent.ended !== null);
  expect(parent.ended).toEqual({ code: 0 });
});

test('it ends with its parent, also when that is killed', { timeout: TEST_MS }, async () => {
  const parent = await start(await freshPlace(kafka.bootstrap, 1));
  await parent.untilState('settling');
  expect(isAlive(parent.pid)).toBe(true);
  await parent.kill();
  await parent.until(() => !isAlive(parent.pid));
});

test('without a read position it publishes nothing, stays, and says what is lost', { timeout: TEST_MS }, async () => {
  // The journal's beginning was never written down, and the group knows nothing of it.
  const place = await freshPlace(kafka.bootstrap, 1, false);
  await put(
    place,
    place.topics.journal,
    0,
    [1, 2].map((n) => ({ value: Buffer.from(playEntry(playOf(n)).record) })),
  );
  const parent = await start(place);
  await parent.untilState('position-lost');
  expect(parent.statuses.at(-1)?.lastError).toContain('it is not known that none of it was settled');
  await sleep(2_000);
  expect(isAlive(parent.pid)).toBe(true);
  // Two records wait, and nobody knows behind which position: that is not none.
  expect(parent.statuses.at(-1)).toMatchObject({ state: 'position-lost', backlog: null });
  expect(await witnessFeed(place, 0)).toEqual([]);
  parent.process.send('stop');
  await parent.until(() => parent.ended !== null);
  expect(parent.ended?.code).not.toBeNull();
});
