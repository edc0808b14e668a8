import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { DEFAULT_RULES } from '../../../src/domain/limits.ts';
import { type Check, verifyEvidence } from '../../../src/query/verify-evidence.ts';
import { beside, decoded, type Evidence, evidenceOf, evidences, flip, rich, signedOf, vectors } from '../../support/vector-evidence.ts';
import { playproof } from '../cli/run-cli.ts';

const spaced = (base64: string): string =>
  Buffer.from(Buffer.from(base64, 'base64').toString('utf8').replace(',', ', ')).toString('base64');

const failed = (checks: readonly Check[]): string[] => checks.filter(({ ok }) => !ok).map(({ name }) => name);

test.each(evidences)('what the service accepted verifies: $name', ({ evidence }) => {
  expect(failed(verifyEvidence(structuredClone(evidence)))).toEqual([]);
});

describe('whatever is changed afterwards is found', () => {
  const otherKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' });
  test.each<[string, (evidence: Evidence) => void, string]>([
    ['a longer play shown', (e) => (e.log.duration_actual = 999), 'log'],
    ['a member left out of the log', (e) => delete e.log.campaign_id, 'log'],
    ['a member added to the log', (e) => (e.log.note = 'x'), 'log'],
    ['another signature in the log', (e) => (e.log.signature = flip(String(e.log.signature))), 'signature of the log'],
    ['other bytes', (e) => (e.canonical = flip(e.canonical)), 'content hash'],
    ['the same JSON in another spelling', (e) => (e.canonical = spaced(e.canonical)), 'canonical form'],
    ['no bytes', (e) => (e.canonical = '!'), 'canonical bytes'],
    ['another hash', (e) => (e.content_hash = e.content_hash.replace(/./, (c) => (c === '0' ? '1' : '0'))), 'content hash'],
    ['another signature', (e) => (e.signature = flip(e.signature)), 'signature'],
    ['no signature', (e) => (e.signature = ''), 'fields'],
    ['another key', (e) => (e.key.public_key = otherKey), 'signature'],
    ['no key', (e) => delete e.key.public_key, 'public key'],
    ['the other algorithm', (e) => (e.key.algorithm = e.key.algorithm === 'RS256' ? 'PS256' : 'RS256'), 'signature'],
    ['no algorithm', (e) => (e.key.algorithm = 'none'), 'public key'],
    ['a key that began later', (e) => (e.key.valid_from = '2100-01-01T00:00:00.000Z'), 'key validity'],
    ['a key that had ended', (e) => (e.key.valid_until = String(e.log.ended_at)), 'key validity'],
    ['a validity that is no instant', (e) => (e.key.valid_until = 'later'), 'key validity'],
    ['another status', (e) => (e.verdict.status = 'PARTIAL'), 'status'],
    ['another claim', (e) => (e.verdict.reported_status = 'SKIPPED'), 'reported status'],
    ['not billable', (e) => (e.verdict.billable = !e.verdict.billable), 'billable'],
    ['another completion', (e) => (e.verdict.completion = 0.81), 'completion'],
    ['another distance', (e) => (e.verdict.distance_m = Number(e.verdict.distance_m) + 1), 'distance'],
    ['another store', (e) => (e.enrichment.store_location = { lat: 0, lng: 0 }), 'distance'],
    ['no store', (e) => delete e.enrichment.store_location, 'distance'],
    ['a receipt more than 10 minutes before its end', (e) => (e.verdict.received_at = beside(e, -600_001)), 'time'],
    ['a receipt more than a day after its end', (e) => (e.verdict.received_at = beside(e, 86_400_001)), 'time'],
    ['a receipt at no instant', (e) => (e.verdict.received_at = 'today'), 'time'],
    ['no receipt', (e) => delete e.verdict.received_at, 'time'],
    ['rules of another version', (e) => (e.verdict.rule_version = 99), 'rule version'],
  ])('%s', (_what, change, check) => {
    const evidence = structuredClone(rich.evidence);
    change(evidence);
    expect(failed(verifyEvidence(evidence))).toContain(check);
  });

  test.each([0, -600_000, 86_400_000])('received %i ms after its end: inside', (offset) => {
    const evidence = structuredClone(rich.evidence);
    evidence.verdict.received_at = beside(evidence, offset);
    expect(failed(verifyEvidence(evidence))).toEqual([]);
  });

  test('what the device signed of itself has to fit together', () => {
    const inconsistent = vectors.cases.filter(({ expect: { code } }) => code === 'duration_inconsistent').map(signedOf);
    const found = inconsistent.map((log) => {
      const evidence = evidenceOf(log, { ...rich.play, ...decoded(log), keyId: rich.play.keyId });
      return failed(verifyEvidence(evidence)).includes('durations');
    });
    // The others differ from the catalogue, which no evidence has.
    expect(found.filter((one) => one).length).toBeGreaterThanOrEqual(2);
    expect(found.filter((one) => !one).length).toBeGreaterThanOrEqual(1);
  });

  test.each([[null], [[]], ['x'], [{}], [{ canonical: 'e30=' }]])('no evidence at all: %j', (document) => {
    expect(failed(verifyEvidence(document)).length).toBeGreaterThan(0);
  });

  test('a key from elsewhere has to be the key in the file', () => {
    const own = String(rich.evidence.key.public_key);
    expect(failed(verifyEvidence(rich.evidence, { trustedKey: own.replaceAll('\n', '\r\n') }))).toEqual([]);
    expect(failed(verifyEvidence(rich.evidence, { trustedKey: otherKey }))).toEqual(['trusted key', 'signature']);
    expect(failed(verifyEvidence(rich.evidence, { trustedKey: 'x' }))).toEqual(['trusted key', 'signature']);
  });

  test('the device is not billed for what another threshold would have billed', () => {
    const rules = { ...DEFAULT_RULES, completionThreshold: 1, maxDistanceM: 0 };
    const short = evidences.find(({ play }) => play.status === 'COMPLETED' && play.durationActualMs < play.durationExpectedMs);
    expect(failed(verifyEvidence(short?.evidence, { rules }))).toEqual(expect.arrayContaining(['status', 'billable']));
  });
});

test('playproof verify prints every check and fails where one does', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'playproof-verify-'));
  try {
    const file = path.join(dir, 'evidence.json');
    const pem = path.join(dir, 'key.pem');
    writeFileSync(file, JSON.stringify(rich.evidence));
    writeFileSync(pem, String(rich.evidence.key.public_key));
    // As a service took it that allows two days.
    const late = { ...rich.evidence, verdict: { ...rich.evidence.verdict, received_at: beside(rich.evidence, 100_000_000) } };
    writeFileSync(file, JSON.stringify(late));
    expect((await playproof(['verify', file])).stdout).toMatch(/^FAILED {2}time: /m);
    expect((await playproof(['verify', file, '--max-age', '172800', '--max-ahead', '0'])).code).toBe(0);
    writeFileSync(file, JSON.stringify(rich.evidence));
    const good = await playproof(['verify', file, '--key', pem]);
    expect(good.code).toBe(0);
    expect(good.stdout).toMatch(/^ok {6}signature: /m);
    expect(good.stdout).toMatch(/^verified: \d+ checks passed\n$/m);
    writeFileSync(file, JSON.stringify({ ...rich.evidence, content_hash: 'x' }));
    const bad = await playproof(['verify', file]);
    expect(bad.code).toBe(1);
    expect(bad.stdout).toMatch(/^FAILED {2}content hash: /m);
    expect(bad.stdout).toMatch(/^NOT verified: 1 of \d+ checks failed\n$/m);
    writeFileSync(file, 'x');
    expect(await playproof(['verify', file])).toMatchObject({ code: 1, stdout: '' });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
