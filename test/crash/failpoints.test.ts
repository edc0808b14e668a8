/**
 * I1, I3: the service is killed as by a power cut at each named place that a log passes, started again, and its clients send again what
 * they got no answer for. Whatever was acknowledged is then in feed, archive and analytics, exactly once.
 */
import { afterEach, beforeAll, expect, test } from 'vitest';
import { FAILPOINTS } from '../../src/failpoints.ts';
import { Load } from '../support/load.ts';
import { differences } from '../support/oracle.ts';
import { importWorld, makeWorld, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';

const CONNECTIONS = 3;
/** All refusals are kept, so that the oracle can ask for each. */
const KEEP_ALL = { PLAYPROOF_QUARANTINE_PER_DEVICE: '100000' };
/** On the first pass there is little to lose yet. */
const PASS = 4;
const ANALYTICS_PASS = 2;
/** Longer than the oracle waits, so that its sentence is heard. */
const TEST_MS = 120_000;

let world: World;
let dataDir: string;
let service: Service | null = null;

beforeAll(() => {
  world = makeWorld(2, { seed: 999 });
});

afterEach(async () => {
  await service?.kill();
  service = null;
  removeDataDir(dataDir);
});

test.each(FAILPOINTS.map((name, i) => [name, i] as const))(
  'killed at %s, nothing acknowledged is lost or counted twice',
  { timeout: TEST_MS },
  async (name, i) => {
    dataDir = makeDataDir();
    const pass = name.startsWith('analytics') ? ANALYTICS_PASS : PASS;
    service = await Service.start({ dataDir, env: { ...KEEP_ALL, PLAYPROOF_FAILPOINT: `${name}:${pass}` } });
    await importWorld(service, world);
    const load = new Load(world, 1_000 + i);
    const { url, exited } = service;
    load.start(CONNECTIONS, () => url);
    expect(await exited).toEqual({ code: null, signal: 'SIGKILL' });
    await load.stop();
    expect(service.output).toContain(`failpoint ${name}`);

    service = await Service.start({ dataDir, env: KEEP_ALL });
    await load.drain(service.url);
    // New ones too: the service must be well, not only whole.
    await load.sendGood(service.url, 20);
    await load.drain(service.url);
    expect(await differences(service, load.ledger)).toEqual([]);
    expect(load.ledger.summary()['acknowledged']).toBeGreaterThan(20);
  },
);
