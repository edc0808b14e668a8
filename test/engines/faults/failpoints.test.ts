/**
 * I1, I3: a node of a cluster with all roles, and an edge box, are killed with -9 at one named place that a log passes after the other.
 * Their clients send again what they got no answer for.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ENGINE_FAILPOINTS, FAILPOINTS, type Failpoint } from '../../../src/failpoints.ts';
import type { Service } from '../../support/service.ts';
import { Installation } from '../support/installation.ts';
import { Field } from './field.ts';

const CONNECTIONS = 3;
/** On the first pass there is little to lose yet. */
const PASS = 3;
const ANALYTICS_PASS = 2;
/** Analytics is the same process on both; it is tried on the cluster alone. */
const PLACES: readonly Failpoint[] = [...FAILPOINTS, ...ENGINE_FAILPOINTS];
const NODES = [
  ['a cluster node', 'node', 'accept,settle,analytics', {}, PLACES],
  ['an edge box', 'edge', 'accept,settle', { PLAYPROOF_PROFILE: 'edge' }, PLACES.filter((name) => !name.startsWith('analytics'))],
] as const;

let field: Field;

beforeAll(async () => {
  field = await Field.open(await Installation.start(), 2);
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(field.installation.output());
});

afterAll(async () => {
  await field?.close();
});

describe.each(NODES)('%s', (_, name, roles, profile, places) => {
  let node: Service | null = null;

  afterEach(async () => {
    await field.load.stop();
    await node?.kill();
  });

  // Each start takes up what the kill before it left, and is killed at the next place.
  test.each(places)('is killed at %s', async (place) => {
    const pass = place.startsWith('analytics') ? ANALYTICS_PASS : PASS;
    const armed = field.installation.spawn(name, roles, { env: { ...profile, PLAYPROOF_FAILPOINT: `${place}:${pass}` } });
    node = armed;
    await armed.listening();
    field.load.start(CONNECTIONS, () => (armed.ended ? null : armed.url));
    expect(await armed.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(armed.output).toContain(`failpoint ${place}`);
  });

  test('I1, I3: after all that nothing acknowledged is lost or counted twice', async () => {
    node = await field.run(name, roles, { env: profile });
    if (name === 'edge') await field.run('analytics-1', 'analytics');
    // New ones too: it must be well, not only whole.
    await field.load.sendGood(node.url, 20);
    await field.agrees(node);
  });
});

test('I1, I3: at the end the copies agree by the word of another consumer', async () => {
  await field.agreesAtTheEnd();
  expect(field.acknowledged).toBeGreaterThan(PLACES.length * 10);
});
