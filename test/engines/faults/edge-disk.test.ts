/** I1, I4: the disk of an edge box is full, or a sync of its journal fails. Nothing is acknowledged that is not durable. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { canTrace, straceSyncs } from '../../fault/stage.ts';
import { canMount, fillDisk, freeDisk, mountMemory, unmount } from '../../support/full-disk.ts';
import { sendBatch } from '../../support/http.ts';
import type { ToldVerdict } from '../../support/ledger.ts';
import { play } from '../../support/registry.ts';
import type { Service } from '../../support/service.ts';
import type { SignedLog } from '../../support/signing.ts';
import { Installation } from '../support/installation.ts';
import { Field } from './field.ts';

const ROLES = 'accept,settle';
const PROFILE = { PLAYPROOF_PROFILE: 'edge' };
const WITHIN_MS = 60_000;
const mountable = canMount();
const traceable = canTrace();

let field: Field;
/** Probes that were turned away. */
let unheard: SignedLog[] = [];

beforeAll(async () => {
  field = await Field.open(await Installation.start(), 5);
  await field.run('analytics-1', 'analytics');
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(field.installation.output());
});

afterAll(async () => {
  await field?.close();
});

/** One good log through the box, in the ledger of the others. @returns the status */
async function probe(box: Service): Promise<number> {
  const log = play(field.world);
  const { ledger } = field.load;
  ledger.sending(log);
  const { status, json } = await sendBatch(box, `[${log.body}]`);
  if (status === 202) ledger.heard(log, 'accepted', json.results[0] as ToldVerdict);
  else unheard.push(log);
  return status;
}
async function until(box: Service, status: number): Promise<void> {
  const end = performance.now() + WITHIN_MS;
  for (let last = await probe(box); last !== status; last = await probe(box)) {
    if (performance.now() > end) throw new Error(`answered ${last}, and never ${status}`);
    await sleep(20);
  }
}

test.skipIf(!mountable)('a full disk: 503 until there is room, nothing acknowledged is lost', async () => {
  const data = path.join(field.installation.directoryOf('edge-1'), 'data');
  mkdirSync(data, { recursive: true });
  mountMemory(data, 48);
  try {
    const box = await field.run('edge-1', ROLES, { env: { ...PROFILE, PLAYPROOF_DISK_RESERVE_BYTES: '0' } });
    await field.load.sendGood(box.url, 50);
    field.load.start(2, () => box.url);
    fillDisk(data);
    await until(box, 503);
    freeDisk(data);
    await until(box, 202);
    await field.load.stop();
    for (const log of unheard) await field.load.send(box.url, [log]);
    unheard = [];
    await field.agrees(box);
    expect((await box.stop()).code).toBe(0);
  } finally {
    await field.load.stop();
    unmount(data);
  }
});

test.skipIf(!traceable)(
  'a sync of the journal that fails: it stops acknowledging, says so, and ends; what survived is a duplicate',
  async () => {
    const data = path.join(field.installation.directoryOf('edge-2'), 'data');
    const under = straceSyncs('error=EIO:when=9+', [path.join(data, 'playproof.db-wal')]);
    const box = await field.run('edge-2', ROLES, { env: PROFILE, under });
    for (let i = 0; i < 1_000 && !box.ended; i += 1) {
      await field.load.sendGood(box.url, 5);
      await sleep(20);
    }
    expect(await box.exited).toEqual({ code: 1, signal: null });
    expect(box.output).toContain('the service cannot go on and stops acknowledging');
    const again = await field.run('edge-2', ROLES, { env: PROFILE });
    await field.agrees(again);
  },
);

test('I1, I3: at the end the copies agree by the word of another consumer', async () => {
  await field.agreesAtTheEnd();
});
