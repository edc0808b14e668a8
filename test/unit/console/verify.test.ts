import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Evidence as Shown, type Thresholds, verify } from '../../../console/src/verify/verify.ts';
import { DEFAULT_RULES, RULE_VERSION } from '../../../src/domain/limits.ts';
import { beside, type Evidence, evidences, flip, rich } from '../../support/vector-evidence.ts';

const THRESHOLDS: Thresholds = {
  rule_version: RULE_VERSION,
  completion_threshold: DEFAULT_RULES.completionThreshold,
  max_ahead_seconds: DEFAULT_RULES.maxAheadMs / 1_000,
  max_age_seconds: DEFAULT_RULES.maxAgeMs / 1_000,
  max_distance_m: DEFAULT_RULES.maxDistanceM,
  require_catalogue: DEFAULT_RULES.requireCatalogue,
  require_screenshot: DEFAULT_RULES.requireScreenshot,
};

async function failed(evidence: Evidence, thresholds = THRESHOLDS): Promise<string[]> {
  const { ok, checks } = await verify(evidence as unknown as Shown, thresholds);
  const names = checks.filter((check) => !check.ok).map(({ name }) => name);
  expect(ok).toBe(names.length === 0);
  return names;
}

test.each(evidences)('what the service accepted is proven in the browser too: $name', async ({ evidence }) => {
  expect(await failed(structuredClone(evidence))).toEqual([]);
});

const otherKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' });

test.each<[string, (evidence: Evidence) => void, string]>([
  ['a longer play shown', (e) => (e.log.duration_actual = 999), 'The log shown'],
  ['other bytes', (e) => (e.canonical = flip(e.canonical)), 'Content hash'],
  ['no bytes', (e) => (e.canonical = '!'), 'Signed bytes'],
  ['another signature', (e) => (e.signature = flip(e.signature)), 'Signature'],
  ['another key', (e) => (e.key.public_key = otherKey), 'Signature'],
  ['a key that had ended', (e) => (e.key.valid_until = String(e.log.ended_at)), 'Key validity'],
  ['another status', (e) => (e.verdict.status = 'PARTIAL'), 'Verdict'],
  ['not billable', (e) => (e.verdict.billable = !e.verdict.billable), 'Verdict'],
  ['another completion', (e) => (e.verdict.completion = 0.81), 'Completion'],
  ['another distance', (e) => (e.verdict.distance_m = Number(e.verdict.distance_m) + 1), 'Distance'],
  ['a receipt more than 10 minutes before its end', (e) => (e.verdict.received_at = beside(e, -600_001)), 'Time of receipt'],
  ['a receipt more than a day after its end', (e) => (e.verdict.received_at = beside(e, 86_400_001)), 'Time of receipt'],
  ['a receipt at no instant', (e) => (e.verdict.received_at = 'today'), 'Time of receipt'],
  ['an end before its start', (e) => ([e.log.started_at, e.log.ended_at] = [e.log.ended_at, e.log.started_at]), 'Durations'],
])('whatever is changed afterwards is found: %s', async (_what, change, check) => {
  const evidence = structuredClone(rich.evidence);
  change(evidence);
  expect(await failed(evidence)).toContain(check);
});

test('by the thresholds of the service, not by those of this program', async () => {
  const late = structuredClone(rich.evidence);
  late.verdict.received_at = beside(late, 100_000_000);
  expect(await failed(late, { ...THRESHOLDS, max_age_seconds: 172_800 })).toEqual([]);
  expect(await failed(rich.evidence, { ...THRESHOLDS, max_distance_m: 0 })).toEqual(['Distance']);
  // A play that was billed before the catalogue was required stays one.
  const uncatalogued = structuredClone(rich.evidence);
  uncatalogued.verdict.content_known = false;
  expect(await failed(uncatalogued, { ...THRESHOLDS, require_catalogue: true })).toEqual([]);
});
