import { generateKeyPairSync, sign } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentHashOf } from '../../../src/domain/canonical-json.ts';
import { CODES } from '../../../src/domain/codes.ts';
import type { Assignment, CampaignFacts, ContentFacts, DeviceFacts, DeviceKey, FactSource, StoreFacts } from '../../../src/domain/facts.ts';
import { DEFAULT_RULES, RULE_VERSION } from '../../../src/domain/limits.ts';
import type { DecodedLog } from '../../../src/domain/playback-log.ts';
import { checkSendTime, type JudgeContext, judge } from '../../../src/domain/rules.ts';

const NOW = Date.UTC(2026, 10, 20, 9, 30);
const HOUR = 3_600_000;
const pairs = [0, 1].map(() => generateKeyPairSync('rsa', { modulusLength: 2048 }));

function key(keyId: string, pair: number, rest: Partial<DeviceKey> = {}): DeviceKey {
  const publicKey = pairs[pair]?.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  return { keyId, algorithm: 'RS256', publicKey, validFrom: null, validUntil: null, compromisedAt: null, ...rest };
}

const store: StoreFacts = { storeId: 'store', supplierId: 'supplier', location: { lat: 10, lng: 106 }, region: 'north' };
const elsewhere: StoreFacts = { storeId: 'elsewhere', supplierId: 'other', location: { lat: 20, lng: 106 }, region: null };
const standing: Assignment = { store, active: true, since: null };

interface World {
  readonly device?: Partial<DeviceFacts> | null;
  readonly campaign?: Partial<CampaignFacts> | null;
  readonly content?: ContentFacts | null;
}

function worldOf({ device = {}, campaign = {}, content = null }: World): FactSource {
  return {
    device: () => device && { deviceId: 'device', assignments: [standing], keys: [key('k1', 0)], ...device },
    campaign: () => campaign && { campaignId: 'campaign', advertiserId: 'advertiser', retiredAt: null, ...campaign },
    content: () => content,
  };
}

/** A log signed by the pair of that number. */
function logOf(rest: Partial<DecodedLog> = {}, pair = 0): DecodedLog {
  const canonical = Buffer.from(JSON.stringify(rest));
  const endedAt = rest.endedAt ?? NOW - 30_000;
  return {
    logId: 'log',
    deviceId: 'device',
    campaignId: 'campaign',
    contentId: 'content',
    startedAt: endedAt - 15_000,
    endedAt,
    durationActualMs: 15_000,
    durationExpectedMs: 15_000,
    reportedStatus: 'COMPLETED',
    location: null,
    screenshotHash: null,
    keyId: null,
    signature: sign('sha256', canonical, pairs[pair]?.privateKey ?? ''),
    canonical,
    contentHash: contentHashOf(canonical),
    ...rest,
  };
}

function verdict(log: DecodedLog, world: World = {}, context: Partial<JudgeContext> = {}) {
  return judge(log, worldOf(world), { receivedAt: NOW, clockChecked: false, rules: DEFAULT_RULES, ...context });
}

function codeOf(log: DecodedLog, world: World = {}, context: Partial<JudgeContext> = {}): string {
  const judgement = verdict(log, world, context);
  if (judgement.outcome === 'accepted') return 'accepted';
  expect(judgement.detail).toMatch(/^[A-Z_a-z].*\.$/);
  return judgement.code;
}

/** A screen that stood in `store`, and elsewhere from `since` on. */
function movedAt(since: number, active = true): World {
  return { device: { assignments: [standing, { store: elsewhere, active, since }] } };
}

/** The key that proves a log without key_id, or the code of the refusal. */
function provenBy(keys: readonly DeviceKey[], pair: number): string {
  const judgement = verdict(logOf({}, pair), { device: { keys } });
  return judgement.outcome === 'accepted' ? judgement.play.keyId : judgement.code;
}

describe('an accepted log', () => {
  it('becomes a play with the verdict, the enrichment and the key that proved it', () => {
    const log = logOf({ location: { lat: 10.01, lng: 106 }, durationActualMs: 11_000 });
    const judgement = verdict(log, { content: { contentId: 'content', durationMs: 15_000 } }, { clockChecked: true });
    expect(judgement).toEqual({
      outcome: 'accepted',
      play: {
        logId: 'log',
        deviceId: 'device',
        campaignId: 'campaign',
        contentId: 'content',
        storeId: 'store',
        supplierId: 'supplier',
        advertiserId: 'advertiser',
        region: 'north',
        storeLocation: store.location,
        contentHash: log.contentHash,
        startedAt: log.startedAt,
        endedAt: log.endedAt,
        receivedAt: NOW,
        durationActualMs: 11_000,
        durationExpectedMs: 15_000,
        status: 'PARTIAL',
        reportedStatus: 'COMPLETED',
        billable: false,
        distanceM: 1112,
        contentKnown: true,
        clockChecked: true,
        ruleVersion: RULE_VERSION,
        keyId: 'k1',
        keyAlgorithm: 'RS256',
        keyValidFrom: null,
        keyValidUntil: null,
        canonical: log.canonical,
        signature: log.signature,
      },
    });
  });
});

describe('I2: nothing unproven gets in', () => {
  it('whatever the keys of the device and the log, an accepted one was signed by a key that was valid then', () => {
    const times = [NOW - 2 * HOUR, NOW - HOUR, NOW - 30_000, NOW] as const;
    const open = fc.option(fc.constantFrom(...times), { freq: 2 });
    const keys = fc.array(
      fc.record({
        pair: fc.nat(1),
        validFrom: open,
        validUntil: open,
        compromisedAt: fc.option(fc.constantFrom(NOW - 1, NOW, NOW + 1), { freq: 1 }),
      }),
      { maxLength: 3 },
    );
    const log = fc.record({
      pair: fc.nat(1),
      keyId: fc.option(fc.constantFrom('k0', 'k1', 'k2'), { freq: 1 }),
      endedAt: fc.constantFrom(...times),
      damage: fc.nat(5).map((n) => n === 0),
    });
    let accepted = 0;
    fc.assert(
      fc.property(keys, log, (registered, { pair, keyId, endedAt, damage }) => {
        const facts = registered.map(({ pair: of, ...rest }, i) => key(`k${i}`, of, rest));
        const signed = logOf({ endedAt, keyId }, pair);
        if (damage) signed.canonical[0] = 0x5b;
        const proves = (fact: DeviceKey, i: number) =>
          !damage &&
          registered[i]?.pair === pair &&
          (keyId === null || keyId === fact.keyId) &&
          (fact.validFrom ?? 0) <= endedAt &&
          endedAt < (fact.validUntil ?? Number.POSITIVE_INFINITY) &&
          (fact.compromisedAt === null || NOW < fact.compromisedAt);
        const code = codeOf(signed, { device: { keys: facts } });
        accepted += code === 'accepted' ? 1 : 0;
        if (facts.some(proves)) expect(code).toBe('accepted');
        else expect(['unknown_key', 'key_not_valid', 'invalid_signature']).toContain(code);
      }),
      { numRuns: 1_000 },
    );
    expect(accepted).toBeGreaterThan(50);
  });

  it('a log of another device is not proven by its own key', () => {
    expect(codeOf(logOf({}, 1))).toBe('invalid_signature');
  });
});

describe('rule 2', () => {
  it('wants a registered device', () => {
    expect(verdict(logOf(), { device: null })).toMatchObject({
      code: 'unknown_device',
      rests: true,
      proven: false,
      deviceKnown: false,
      storeId: null,
    });
  });

  it('wants it active when the play ended', () => {
    const endedAt = NOW - HOUR;
    expect(codeOf(logOf({ endedAt }), movedAt(endedAt + 1, false))).toBe('accepted');
    expect(verdict(logOf({ endedAt }), movedAt(endedAt, false))).toMatchObject({
      code: 'device_disabled',
      storeId: 'elsewhere',
      supplierId: 'other',
      proven: false,
    });
    expect(codeOf(logOf({ endedAt }), { device: { assignments: [{ ...standing, since: endedAt + 1 }] } })).toBe('device_disabled');
    expect(codeOf(logOf(), { device: { assignments: [] } })).toBe('device_disabled');
  });

  it('judges a screen that was moved where it played', () => {
    const endedAt = NOW - HOUR;
    expect(verdict(logOf({ endedAt }), movedAt(endedAt + 1))).toMatchObject({ play: { storeId: 'store', region: 'north' } });
    expect(verdict(logOf({ endedAt }), movedAt(endedAt))).toMatchObject({ play: { storeId: 'elsewhere', region: null } });
  });
});

describe('rule 3', () => {
  const endedAt = NOW - HOUR;
  it('tells no such key, no valid key and a wrong signature apart', () => {
    expect(codeOf(logOf(), { device: { keys: [] } })).toBe('unknown_key');
    expect(codeOf(logOf({ keyId: 'k2' }))).toBe('unknown_key');
    expect(codeOf(logOf({ endedAt }), { device: { keys: [key('k1', 0, { validFrom: endedAt + 1 })] } })).toBe('key_not_valid');
    expect(codeOf(logOf({ endedAt }), { device: { keys: [key('k1', 0, { validUntil: endedAt })] } })).toBe('key_not_valid');
    expect(codeOf(logOf({ endedAt }), { device: { keys: [key('k1', 0, { validFrom: endedAt, validUntil: endedAt + 1 })] } })).toBe(
      'accepted',
    );
  });

  it('takes nothing received at or after a compromise, and what came before', () => {
    const stolen = { device: { keys: [key('k1', 0, { compromisedAt: NOW })] } };
    expect(codeOf(logOf({ endedAt }), stolen)).toBe('key_not_valid');
    expect(codeOf(logOf({ endedAt }), stolen, { receivedAt: NOW - 1 })).toBe('accepted');
  });

  it('tries every valid key where none is named, the newest first', () => {
    const [old, middle, late] = [key('old', 0), key('middle', 0, { validFrom: 1 }), key('late', 0, { validFrom: 2 })];
    expect(provenBy([old, late, middle], 0)).toBe('late');
    expect(provenBy([late, old, { ...middle, validFrom: 2 }], 0)).toBe('middle');
    expect(provenBy([old, key('other', 1, { validFrom: 3 })], 0)).toBe('old');
    expect(provenBy([old, late], 1)).toBe('invalid_signature');
  });
});

describe('rules 5 and 6', () => {
  it('take exactly the bound, and not a millisecond more', () => {
    expect(codeOf(logOf({ endedAt: NOW + DEFAULT_RULES.maxAheadMs }))).toBe('accepted');
    expect(codeOf(logOf({ endedAt: NOW + DEFAULT_RULES.maxAheadMs + 1 }))).toBe('in_future');
    expect(codeOf(logOf({ endedAt: NOW - DEFAULT_RULES.maxAgeMs }))).toBe('accepted');
    expect(verdict(logOf({ endedAt: NOW - DEFAULT_RULES.maxAgeMs - 1 }))).toMatchObject({ code: 'too_old', proven: true, rests: false });
  });

  it('follow the settings', () => {
    const rules = { ...DEFAULT_RULES, maxAheadMs: 0, maxAgeMs: 60_000 };
    expect(codeOf(logOf({ endedAt: NOW + 1 }), {}, { rules })).toBe('in_future');
    expect(codeOf(logOf({ endedAt: NOW - 60_001 }), {}, { rules })).toBe('too_old');
  });

  it('look at the send time on either side', () => {
    for (const side of [-1, 1]) {
      expect(checkSendTime(NOW + side * 600_000, NOW, DEFAULT_RULES)).toBe(true);
      expect(checkSendTime(NOW + side * 600_001, NOW, DEFAULT_RULES)).toBe(false);
    }
  });
});

describe('rule 7', () => {
  const content = { contentId: 'content', durationMs: 15_000 };
  it('wants the times in order, the duration between them, and the duration of the catalogue', () => {
    const endedAt = NOW - 30_000;
    expect(codeOf(logOf({ startedAt: endedAt, durationActualMs: 1_000 }))).toBe('accepted');
    expect(codeOf(logOf({ startedAt: endedAt, durationActualMs: 1_001 }))).toBe('duration_inconsistent');
    expect(verdict(logOf({ startedAt: endedAt + 1, durationActualMs: 0 }))).toMatchObject({ code: 'duration_inconsistent', rests: false });
    expect(codeOf(logOf(), { content })).toBe('accepted');
    expect(verdict(logOf({ durationExpectedMs: 15_001 }), { content })).toMatchObject({
      code: 'duration_inconsistent',
      rests: true,
      proven: true,
    });
    expect(codeOf(logOf({ durationExpectedMs: 15_001 }))).toBe('accepted');
  });
});

describe('rule 8', () => {
  it('measures from the store of that time, on the unrounded distance', () => {
    const rules = { ...DEFAULT_RULES, maxDistanceM: 1_111.95 };
    // 0.01 degrees of latitude are 1 111.9508… m.
    const judgement = verdict(logOf({ location: { lat: 10.01, lng: 106 } }), {}, { rules });
    expect(judgement).toMatchObject({ code: 'location_out_of_range', rests: true, detail: expect.stringContaining('1112 m') as unknown });
    expect(codeOf(logOf({ location: { lat: 10.01, lng: 106 } }), {}, { rules: { ...rules, maxDistanceM: 1_111.951 } })).toBe('accepted');
  });

  it('is not asked where there is no location', () => {
    expect(verdict(logOf())).toMatchObject({ play: { distanceM: null } });
  });
});

describe('rule 9', () => {
  it('wants a campaign that is registered, and was not retired when the play ended', () => {
    const endedAt = NOW - HOUR;
    expect(verdict(logOf(), { campaign: null })).toMatchObject({ code: 'unknown_campaign', rests: true, proven: true, advertiserId: null });
    expect(codeOf(logOf({ endedAt }), { campaign: { retiredAt: endedAt + 1 } })).toBe('accepted');
    expect(verdict(logOf({ endedAt }), { campaign: { retiredAt: endedAt } })).toMatchObject({
      code: 'unknown_campaign',
      advertiserId: 'advertiser',
    });
  });
});

describe('the order of the rules', () => {
  it('is that of the codes: repairing the first fault brings up the next', () => {
    const bad = { endedAt: NOW + HOUR, startedAt: NOW + 2 * HOUR, location: { lat: 0, lng: 0 } };
    const found = [
      codeOf(logOf(bad, 1), { device: null, campaign: null }),
      codeOf(logOf(bad, 1), { device: { assignments: [{ ...standing, active: false }] }, campaign: null }),
      codeOf(logOf({ ...bad, keyId: 'x' }, 1), { campaign: null }),
      codeOf(logOf(bad, 1), { device: { keys: [key('k1', 0, { validUntil: 0 })] }, campaign: null }),
      codeOf(logOf(bad, 1), { campaign: null }),
      codeOf(logOf(bad), { campaign: null }),
      codeOf(logOf({ ...bad, endedAt: NOW - 25 * HOUR }), { campaign: null }),
      codeOf(logOf({ ...bad, endedAt: NOW }), { campaign: null }),
      codeOf(logOf({ location: bad.location }), { campaign: null }),
      codeOf(logOf(), { campaign: null }),
    ];
    const order = Object.keys(CODES);
    expect(found).toEqual([...found].sort((a, b) => order.indexOf(a) - order.indexOf(b)));
    expect(new Set(found).size).toBe(10);
  });
});
