/** I1, I3: analytics hangs for a while. Accepting goes on, the backlog can be seen, and reports come back complete. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { call, send } from '../support/http.ts';
import { Load } from '../support/load.ts';
import { differences, readFeed, waitComplete } from '../support/oracle.ts';
import { importWorld, makeWorld, play } from '../support/registry.ts';
import { announceSeed, Stage } from './stage.ts';

const seed = announceSeed();
const HANGS_MS = 10_000;

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.close());

test('the analytics process stopped for ten seconds under load: logs are taken, its lag is told, and it converges', async () => {
  const world = makeWorld(2, { seed });
  const service = await stage.start();
  await importWorld(service, world);
  await waitComplete(service, 0);
  const [child] = service.children();
  if (child === undefined) throw new Error('there is no analytics process');
  const load = new Load(world, seed);
  process.kill(child, 'SIGSTOP');
  const hungSince = Date.now();
  try {
    load.start(2, () => service.url);
    await sleep(HANGS_MS);
    expect((await send(service, play(world, {}, { campaign_id: world.campaigns[1].campaignId }).body.slice(0, -1))).status).toBe(400);
    await load.sendGood(service.url, 10);
    const published = (await readFeed(service)).copies.length;
    expect(published).toBeGreaterThan(100);
    const lag = /^playproof_analytics_lag_records (\d+)$/m.exec((await call(service, '/metrics')).text)?.[1];
    expect(Number(lag)).toBeGreaterThan(100);
    // A report says up to when it is complete, or says that there is none just now: it never claims what is not loaded.
    const report = await Promise.race([call(service, '/api/v1/reports/plays'), sleep(2_000, null)]);
    if (report?.status === 200) expect(Date.parse(report.json.complete_until)).toBeLessThanOrEqual(hungSince);
    else if (report) expect([report.status, report.json.retryable]).toEqual([503, true]);
  } finally {
    process.kill(child, 'SIGCONT');
  }
  await load.stop();
  await load.drain(service.url);
  expect(await differences(service, load.ledger)).toEqual([]);
});
