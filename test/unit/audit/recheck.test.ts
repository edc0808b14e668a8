/** I2: what rules 5 to 8 would have refused is found in a stored play, from its signed bytes and what stands beside them. */
import { describe, expect, test } from 'vitest';
import { type KeyLookup, recheck } from '../../../src/audit/recheck.ts';
import { DEFAULT_RULES, RULE_VERSION, type RuleSettings } from '../../../src/domain/limits.ts';
import type { Play } from '../../../src/domain/play.ts';
import { type DecodedLog, decodeLog } from '../../../src/domain/playback-log.ts';
import { judge } from '../../../src/domain/rules.ts';
import { importDocument, makeWorld, play } from '../../support/registry.ts';
import type { LogFields } from '../../support/signing.ts';
import { vectorFacts, type VectorRegistry } from '../../support/vector-facts.ts';

const NO_LIMITS: RuleSettings = {
  ...DEFAULT_RULES,
  maxAheadMs: Number.MAX_SAFE_INTEGER,
  maxAgeMs: Number.MAX_SAFE_INTEGER,
  maxDistanceM: Number.MAX_SAFE_INTEGER,
};
const ENDED_AT = Date.UTC(2026, 8, 1, 10);
const ended = (offset: number): string => new Date(ENDED_AT + offset).toISOString();

const world = makeWorld(1);
const facts = vectorFacts(importDocument(world) as unknown as VectorRegistry);
const keyOf: KeyLookup = (deviceId, keyId) => facts.device(deviceId)?.keys.find((key) => key.keyId === keyId) ?? null;
const at = world.stores[0].location;

function signed(changes: LogFields): DecodedLog {
  const decoded = decodeLog(JSON.parse(play(world, { endedAt: ENDED_AT }, changes).body) as object, DEFAULT_RULES);
  if (!decoded.ok) throw new Error(decoded.detail);
  return decoded.log;
}

/** As a service would have stored it that does not know the rules with thresholds. */
function stored(receivedAt: number, changes: LogFields = {}): Play {
  const judged = judge(signed(changes), facts, { receivedAt, clockChecked: true, rules: NO_LIMITS });
  if (judged.outcome !== 'accepted') throw new Error(judged.detail);
  return judged.play;
}

/** The same, of a log that no setting lets through. */
function smuggled(changes: LogFields): Play {
  const { location: _nowhere, screenshotHash: _none, keyId: _own, ...log } = signed(changes);
  return { ...stored(ENDED_AT), ...log };
}

const said = (one: Play, rules = DEFAULT_RULES): string[] =>
  recheck(one, keyOf, rules).doubts.map(({ kind, detail }) => `${kind}: ${detail}`);
const verdict = (text: string): string => expect.stringMatching(new RegExp(`^verdict_differs: .*${text}`)) as string;

describe('what the rules let through is proven, exactly on each bound too', () => {
  test.each<[string, () => Play]>([
    ['as it is sent mostly', () => stored(ENDED_AT + 5_000)],
    ['10 minutes ahead', () => stored(ENDED_AT - 600_000)],
    ['24 hours old', () => stored(ENDED_AT + 86_400_000)],
    ['a second longer than its span', () => stored(ENDED_AT, { duration_actual: 15, started_at: ended(-14_000) })],
    ['of no length', () => stored(ENDED_AT, { duration_actual: 1, started_at: ended(0) })],
    ['in its store', () => stored(ENDED_AT, { location: { ...at, lat: at.lat + 0.044 } })],
  ])('%s', (_what, made) => {
    expect(recheck(made(), keyOf, DEFAULT_RULES)).toEqual({ doubts: [], older: false });
  });
});

describe('what they refuse is found', () => {
  test.each<[string, () => Play, string]>([
    ['rule 5: ahead of its receipt', () => stored(ENDED_AT - 600_001), 'in_future'],
    ['rule 6: too old', () => stored(ENDED_AT + 86_400_001), 'too_old'],
    [
      'rule 7: longer than its span',
      () => smuggled({ duration_actual: 15.001, started_at: ended(-14_000) }),
      'duration_inconsistent.*only 14 s lie between',
    ],
    [
      'rule 7: ended before it started',
      () => smuggled({ duration_actual: 0, started_at: ended(1) }),
      'duration_inconsistent.*before started_at',
    ],
    ['rule 8: too far away', () => stored(ENDED_AT, { location: { ...at, lat: at.lat + 0.046 } }), 'location_out_of_range'],
  ])('%s', (_what, made, text) => {
    const found = said(made()).filter((line) => !line.includes('stored as'));
    expect(found).toEqual([verdict(text)]);
  });

  test('by the thresholds that are set: a play of another setting says so', () => {
    const far = stored(ENDED_AT + 100_000_000, { location: { ...at, lat: at.lat + 0.046 } });
    expect(said(far, NO_LIMITS)).toEqual([]);
    expect(said(far)).toEqual([
      verdict('thresholds that are set now.*too_old'),
      verdict('thresholds that are set now.*location_out_of_range'),
    ]);
  });
});

describe('the version of the rules', () => {
  const ofVersion = (ruleVersion: number, over: Partial<Play> = {}): Play => ({ ...stored(ENDED_AT + 86_400_001), ruleVersion, ...over });

  test('an earlier one: the signature and what was signed are proven, the verdict is not, and that is no fault', () => {
    const later = RULE_VERSION + 2;
    expect(recheck(ofVersion(RULE_VERSION), keyOf, DEFAULT_RULES, later)).toEqual({ doubts: [], older: true });
    const other = recheck(ofVersion(RULE_VERSION, { durationActualMs: 1 }), keyOf, DEFAULT_RULES, later);
    expect(other.doubts.map(({ detail }) => detail)).toEqual(['duration_actual is stored as 1 and comes to 15000']);
  });

  test.each([0, RULE_VERSION + 1])('%i, which this program cannot know', (version) => {
    expect(said(ofVersion(version))).toEqual([verdict(`judged by version ${version} of the rules`)]);
  });
});
