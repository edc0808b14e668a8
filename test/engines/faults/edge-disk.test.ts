/** I1, I4: the disk of an edge box is full, or a sync of its journal fails. Nothing is acknowledged that is not durable. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { canTrace, smoke, straceSyncs, works } from '../../fault/stage.ts';
import { compileSyncs, syncFaultEnv } from '../../fault/syncs.ts';
import { tellFigure } from '../../support/figures.ts';
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
const compiles = works('gcc', ['--version']);
/** More than any run makes. */
const MAX_SYNCS = 40;
const BATCHES = 5;
const SETTLING_KILLED = /the settling process ended \(SIGKILL\)/;

let field: Field;
/** Probes that were turned away. */
let unheard: SignedLog[] = [];
/** Each of them has a data directory of its own. */
let boxes = 2;

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

describe.skipIf(!compiles)('I1: killed at every sync', () => {
  test.each([
    ['its write-ahead log', ['playproof.db-wal'], 5],
    ['its database', ['playproof.db', 'playproof.db-journal'], 3],
    ['its mark', ['playproof.mark.new', 'playproof.mark'], 2],
  ])('of %s, a box loses nothing that it acknowledged, and nothing is billed twice', { timeout: 900_000 }, async (name, files, least) => {
    const library = compileSyncs(field.installation.directoryOf('library'));
    const stride = smoke ? least : 1;
    // A box has two processes that write there, and each counts its own: it is killed, or it goes on without the one that settles.
    const killed = { box: 0, settling: 0 };
    for (let at = 1; ; at += stride) {
      expect(at, `syncs of ${name}`).toBeLessThan(MAX_SYNCS);
      const place = `edge-${(boxes += 1)}`;
      const log = path.join(field.installation.directoryOf(place), 'syncs');
      const fault = syncFaultEnv(library, log, { files, at, how: 'kill' });
      const box = field.installation.spawn(place, ROLES, { env: { ...PROFILE, ...fault } });
      // It may end before it is ready: that is the test.
      await Promise.race([box.ready(), box.exited]).catch(() => {});
      for (let i = 0; i < BATCHES && !box.ended; i += 1) {
        await field.load.sendGood(box.url, 5);
        await sleep(300);
      }
      const { code, signal } = await box.stop();
      const alone = SETTLING_KILLED.test(box.output);
      if (signal === null && !alone) {
        // It made fewer.
        expect([code, box.output]).toEqual([0, expect.any(String)]);
        break;
      }
      expect([signal === 'SIGKILL' || alone, box.output]).toEqual([true, expect.any(String)]);
      killed[signal === null ? 'settling' : 'box'] += 1;
      const again = await field.run(place, ROLES, { env: PROFILE });
      await field.agrees(again);
      await again.stop();
    }
    tellFigure(`an edge box killed at ${killed.box} syncs of ${name}, its settling process at ${killed.settling}`);
    expect(killed.box).toBeGreaterThanOrEqual(Math.floor(least / stride));
  });
});

test('I1, I3: at the end the copies agree by the word of another consumer', async () => {
  await field.agreesAtTheEnd();
});
