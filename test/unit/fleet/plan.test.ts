import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { schedule } from '../../../src/fleet/fleet.ts';
import { type Behaviour, type Step, screenPlan } from '../../../src/fleet/plan.ts';
import { createRandom } from '../../../src/fleet/random.ts';
import { type KeyPair, makeKeys, makeWorld, type World } from '../../../src/fleet/world.ts';

let keys: KeyPair[];
beforeAll(async () => {
  keys = await makeKeys(6);
});

const worldOf = (seed: string, salt?: string): World => makeWorld({ seed, screens: 5, keys, ...(salt !== undefined && { salt }) });

function take(seed: string, bursts: number, salt?: string): unknown[] {
  const source = schedule(worldOf(seed, salt), createRandom(seed));
  return Array.from({ length: bursts }, () => source.next().value);
}

function steps(seed: string, count: number): Step[] {
  const plan = screenPlan(worldOf(seed), 2, createRandom(seed).fork('screen 2'));
  return Array.from({ length: count }, () => plan.next().value);
}

const ids = (world: World): string[] => world.registry.devices.map((device) => device.device_id);

const behaviours = (bursts: unknown[]): unknown[] =>
  (bursts as { screen: number; steps: Step[] }[]).map((burst) => [burst.screen, burst.steps.map((step) => step.behaviour)]);

describe('a seed', () => {
  it('decides the world and every step; another seed decides otherwise', () => {
    expect(take('1', 300)).toEqual(take('1', 300));
    expect(take('1', 50)).not.toEqual(take('2', 50));
    expect(worldOf('1').registry).toEqual(worldOf('1').registry);
  });

  it('plays the same under other ids when salted', () => {
    expect(behaviours(take('1', 100, 'second'))).toEqual(behaviours(take('1', 100)));
    expect(ids(worldOf('1', 'second')).filter((id) => ids(worldOf('1')).includes(id))).toEqual([]);
  });

  it('gives streams that do not depend on what was drawn before', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(20), (seed, drawn) => {
        const first = createRandom(seed);
        for (let i = 0; i < drawn; i += 1) first.next();
        const second = createRandom(seed);
        expect(first.fork('a').uuid()).toBe(second.fork('a').uuid());
        expect(first.fork('a').uuid()).not.toBe(second.fork('b').uuid());
      }),
    );
  });

  it('draws evenly enough', () => {
    const random = createRandom('even');
    const tens = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i += 1) {
      const draw = random.integer(0, 9);
      tens[draw] = (tens[draw] as number) + 1;
    }
    for (const count of tens) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe('the plan', () => {
  const many = 20_000;

  it('holds every behaviour, mostly honest plays, and both kinds of spells', () => {
    const counts = new Map<Behaviour, number>();
    for (const { behaviour } of steps('all', many)) counts.set(behaviour, (counts.get(behaviour) ?? 0) + 1);
    expect(counts.size).toBe(21);
    expect(counts.get('normal')).toBeGreaterThan(15_000);
    const spells = steps('all', many).flatMap(({ spell }) => (spell ? [spell.kind] : []));
    expect(new Set(spells)).toEqual(new Set(['offline', 'clock']));
  });

  it('expects what the numbers bear out', () => {
    for (const step of steps('all', many)) {
      const completion = step.durationActual / step.durationExpected;
      const fits = step.durationActual * 1000 <= step.spanMs + 1000;
      expect(fits).toBe(step.behaviour !== 'padded');
      if (step.behaviour === 'nearly_complete' || step.behaviour === 'normal') expect(completion).toBeGreaterThan(0.81);
      if (step.behaviour === 'cut_short') expect(completion).toBeLessThan(0.79);
      if (step.expected.outcome === 'accepted' && step.expected.billable) expect(step.status).toBe('COMPLETED');
      expect(Math.round(step.durationActual * 1000)).toBeCloseTo(step.durationActual * 1000, 6);
      if (step.spell?.kind === 'clock') expect(step.spell.behindMs).toBeGreaterThan(10 * 60_000);
    }
  });
});

describe('the world', () => {
  it('has distinct ids, a key for each screen, and one campaign that is registered later', () => {
    const { registry, screens, disabled, lateCampaign } = worldOf('1');
    const all = [
      ...registry.stores.map((store) => store.store_id),
      ...registry.devices.map((device) => device.device_id),
      ...registry.campaigns.map((campaign) => campaign.campaign_id),
      ...registry.contents.map((content) => content.content_id),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(screens).toHaveLength(5);
    expect(registry.devices.filter(({ active }) => !active).map((device) => device.device_id)).toEqual([disabled.deviceId]);
    for (const { keys: own } of registry.devices) expect(own[0]?.public_key).toContain('BEGIN PUBLIC KEY');
    expect(registry.campaigns.map((campaign) => campaign.campaign_id)).not.toContain(lateCampaign.campaignId);
    expect(registry.contents.map((content) => content.content_id)).toContain(lateCampaign.contents[0]?.contentId);
  });

  it('says how many keys it needs', () => {
    expect(() => makeWorld({ seed: '1', screens: 6, keys })).toThrow('7 keys are needed, 6 were given');
  });
});
