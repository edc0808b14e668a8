/**
 * I1, I4: records that wait in the journal are changed in the file while the service is down; its pages stay whole, so SQLite says
 * nothing. They are set aside, loudly, the queue moves on, and everything else is there once.
 */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Load } from '../support/load.ts';
import { isAcknowledged } from '../support/ledger.ts';
import { copyDifferences, differences, readPages, waitComplete } from '../support/oracle.ts';
import { importWorld, makeWorld, type World } from '../support/registry.ts';
import { recordLogId } from '../../src/journal/record.ts';
import { announceSeed, Stage } from './stage.ts';

const seed = announceSeed();
const LOGS = 30;
const MAX_LIVES = 20;

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.close());

interface Waiting {
  readonly seq: number;
  readonly record: Uint8Array;
}

/** Changes one bit of some records that are not settled. @returns their positions and log ids */
function poison(db: DatabaseSync, pick: (waiting: readonly Waiting[]) => readonly Waiting[]): { seq: number; logId: string }[] {
  const waiting = db
    .prepare("SELECT seq, record FROM journal WHERE seq > (SELECT seq FROM positions WHERE name = 'settle') ORDER BY seq")
    .all() as unknown as Waiting[];
  expect(waiting).toHaveLength(LOGS);
  const write = db.prepare('UPDATE journal SET record = ? WHERE seq = ?');
  return pick(waiting).map(({ seq, record }) => {
    const logId = recordLogId(record);
    const at = record.length - 1 - (seq % 400);
    record[at] = (record[at] as number) ^ 0x10;
    write.run(record, seq);
    return { seq, logId };
  });
}

/** A data directory whose acknowledged logs all wait to be settled: it is killed as it settles for the first time. */
async function killedBeforeSettling(world: World): Promise<{ load: Load; data: string }> {
  for (let life = 0; life < MAX_LIVES; life += 1) {
    const load = new Load(world, seed);
    const service = await stage.start({ env: { PLAYPROOF_FAILPOINT: 'before-settle-commit' } });
    await importWorld(service, world);
    await load.sendGood(service.url, LOGS);
    expect((await service.exited).signal).toBe('SIGKILL');
    if (load.ledger.acknowledged === LOGS) return { load, data: service.data };
    // Settling begins 20 ms after the commit; on a busy machine that can be before the answer is out.
    await stage.close();
    stage = new Stage();
  }
  throw new Error(`no answer was heard before the kill, ${MAX_LIVES} times`);
}

test('waiting records that were changed in the file are set aside in quarantine, loudly, and the queue moves on', async () => {
  const world = makeWorld(2, { seed });
  const { load, data } = await killedBeforeSettling(world);
  const db = new DatabaseSync(path.join(data, 'playproof.db'));
  const poisoned = poison(db, (waiting) => [waiting[0], waiting[LOGS / 2], waiting.at(-1)].filter((one) => one !== undefined));
  const service = await stage.start();
  // Not before: the last connection that closes removes the write-ahead log, and the start would refuse.
  db.close();
  await load.sendGood(service.url, 20);
  await waitComplete(service);
  const found = await copyDifferences(service, load.ledger);
  expect(found.toSorted()).toEqual(poisoned.map(({ logId }) => `${logId} was acknowledged and is not in the feed`).toSorted());
  for (const { seq } of poisoned) {
    expect(service.output).toMatch(new RegExp(`journal record \\S+/0/${seq} is damaged and was set aside in quarantine`));
  }
  const kept = await readPages(service, '/api/v1/quarantine');
  expect(kept.map(({ code, log_id }) => [code, log_id])).toEqual(poisoned.map(() => ['malformed', null]));

  // A screen that sends them again makes it whole.
  const lost = load.ledger.entries().filter(({ logId }) => poisoned.some((one) => one.logId === logId));
  expect(lost.every(isAcknowledged)).toBe(true);
  await load.send(service.url, lost);
  expect(await differences(service, load.ledger)).toEqual([]);
});
