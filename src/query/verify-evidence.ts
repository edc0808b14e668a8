/**
 * Verifies the evidence of a play with nothing but the evidence itself: no network, no clock, no registry. Whoever doubts the
 * key in the file brings the device's public key from elsewhere.
 */
import { canonicalText } from '../domain/canonical-value.ts';
import { contentHashOf } from '../domain/canonical-json.ts';
import { decodeCanonicalBase64 } from '../domain/base64.ts';
import { classify } from '../domain/classification.ts';
import type { DeviceKey, GeoPoint, SignatureAlgorithm } from '../domain/facts.ts';
import { distanceM } from '../domain/geo.ts';
import { DEFAULT_RULES, RULE_VERSION, type RuleSettings } from '../domain/limits.ts';
import { completionOf } from '../domain/play.ts';
import { type DecodedLog, decodeLog } from '../domain/playback-log.ts';
import { checkDistance, checkDurations, checkTime, type Fault } from '../domain/rules.ts';
import { inspectPublicKey, verifySignature } from '../domain/signature.ts';
import { parseTimestamp } from '../domain/timestamp.ts';
import { parseStrictJson } from '../server/strict-json-body.ts';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What was seen, a sentence. */
  readonly saw: string;
}

export interface VerifyOptions {
  /** SPKI PEM from a source that is trusted more than the file; then the key in the file has to be this one. */
  readonly trustedKey?: string;
  /** The thresholds that the service judged by, where they are not the defaults. */
  readonly rules?: RuleSettings;
}

/** The members of the evidence that are read; anything may be missing or of another type. */
interface Evidence {
  readonly log: Record<string, unknown>;
  readonly canonical: unknown;
  readonly signature: unknown;
  readonly contentHash: unknown;
  readonly key: Record<string, unknown>;
  readonly verdict: Record<string, unknown>;
  readonly enrichment: Record<string, unknown>;
}

/** @param document The parsed answer of `GET /api/v1/playback-logs/{log_id}`. Never throws for what is in it. */
export function verifyEvidence(document: unknown, options: VerifyOptions = {}): Check[] {
  const evidence = read(document);
  const rules = options.rules ?? DEFAULT_RULES;
  const checks: Check[] = [];
  const check = (name: string, ok: boolean, saw: string): boolean => {
    checks.push({ name, ok, saw });
    return ok;
  };

  const canonical = typeof evidence.canonical === 'string' ? decodeCanonicalBase64(evidence.canonical) : undefined;
  if (!check('canonical bytes', canonical !== undefined, canonical ? `${canonical.length} bytes` : 'no base64 in `canonical`'))
    return checks;
  const bytes = canonical as Buffer;
  const hash = contentHashOf(bytes);
  check(
    'content hash',
    evidence.contentHash === hash,
    `SHA-256 is ${hash}${evidence.contentHash === hash ? '' : `, the file says ${told(evidence.contentHash)}`}`,
  );

  const signed = parse(bytes);
  const canonicalForm = signed === undefined ? undefined : canonicalText(signed);
  const isCanonical = canonicalForm !== undefined && Buffer.from(canonicalForm, 'utf8').equals(bytes);
  check('canonical form', isCanonical, isCanonical ? 'the bytes are in the form of RFC 8785' : 'the bytes are not in the form of RFC 8785');
  checkLog(evidence, canonicalForm, check);

  const log = decode(signed, evidence.signature, rules);
  const fields = 'fault' in log ? log.fault : 'every field keeps its rule';
  if (!check('fields', !('fault' in log), fields)) return checks;
  const decoded = (log as { log: DecodedLog }).log;
  checkKey(evidence, decoded, options.trustedKey, check);
  checkVerdict(evidence, decoded, rules, check);
  return checks;
}

type Checker = (name: string, ok: boolean, saw: string) => boolean;

/** What is shown as `log` is what was signed. */
function checkLog(evidence: Evidence, canonicalForm: string | undefined, check: Checker): void {
  const { signature, ...unsigned } = evidence.log;
  const same = canonicalForm !== undefined && canonicalText(unsigned) === canonicalForm;
  check('log', same, same ? '`log` is what was signed' : '`log` differs from what was signed');
  if (signature !== undefined && signature !== evidence.signature) {
    check('signature of the log', false, '`log` carries another signature than the evidence');
  }
}

function checkKey(evidence: Evidence, log: DecodedLog, trustedKey: string | undefined, check: Checker): void {
  const { key } = evidence;
  const pem = typeof key.public_key === 'string' ? key.public_key : '';
  const inspected = inspectPublicKey(pem);
  const algorithm = key.algorithm === 'RS256' || key.algorithm === 'PS256' ? key.algorithm : null;
  const usable = inspected.ok && algorithm !== null;
  const seen = inspected.ok ? `${told(key.algorithm)}, key ${told(key.key_id)}` : inspected.detail;
  if (!check('public key', usable, usable || !inspected.ok ? seen : `the algorithm ${told(key.algorithm)} is neither RS256 nor PS256`))
    return;
  if (trustedKey !== undefined) {
    const same = trustedKey.replaceAll(/\s/g, '') === pem.replaceAll(/\s/g, '');
    check(
      'trusted key',
      same,
      same ? 'the key in the file is the one that was given' : 'the key in the file is another than the one that was given',
    );
  }
  const deviceKey: DeviceKey = {
    keyId: String(key.key_id),
    algorithm: algorithm as SignatureAlgorithm,
    publicKey: trustedKey ?? pem,
    validFrom: instant(key.valid_from),
    validUntil: instant(key.valid_until),
    compromisedAt: null,
  };
  const verified =
    (trustedKey === undefined || inspectPublicKey(trustedKey).ok) && verifySignature(deviceKey, log.canonical, log.signature);
  check('signature', verified, verified ? 'it fits the signed bytes and the key' : 'it does not fit the signed bytes and the key');
  if (log.keyId !== null && log.keyId !== key.key_id) {
    check('key id', false, `the log names the key ${told(log.keyId)}, the evidence is of ${told(key.key_id)}`);
  }
  const readable = readableOrOpen(key.valid_from) && readableOrOpen(key.valid_until);
  const { validFrom, validUntil } = deviceKey;
  const valid = readable && (validFrom === null || validFrom <= log.endedAt) && (validUntil === null || log.endedAt < validUntil);
  check('key validity', valid, `valid from ${told(key.valid_from ?? 'the beginning')} until ${told(key.valid_until ?? 'further notice')}`);
}

/** What can be computed again from the log and the place of the store is computed again. */
function checkVerdict({ verdict, enrichment }: Evidence, log: DecodedLog, rules: RuleSettings, check: Checker): void {
  if (verdict.rule_version !== RULE_VERSION) {
    check('rule version', false, `judged by version ${told(verdict.rule_version)} of the rules, this program knows ${RULE_VERSION}`);
    return;
  }
  check('reported status', verdict.reported_status === log.reportedStatus, `the device claims ${log.reportedStatus}`);
  const { status, billable } = classify(log.reportedStatus, log.durationActualMs, log.durationExpectedMs, rules, true);
  const completion = completionOf(log.durationActualMs, log.durationExpectedMs);
  check(
    'completion',
    near(verdict.completion, completion, 1e-9),
    `${log.durationActualMs / 1000} of ${log.durationExpectedMs / 1000} s is ${completion}`,
  );
  check('status', verdict.status === status, `comes to ${status}, the file says ${told(verdict.status)}`);
  // Content outside of the catalogue may be made not billable by a setting; the other way round there is no excuse.
  const excused = verdict.billable === false && verdict.content_known === false;
  check(
    'billable',
    verdict.billable === billable || excused,
    `comes to ${billable ? 'billable' : 'not billable'}, the file says ${told(verdict.billable)}`,
  );
  checkReceipt(verdict.received_at, log, rules, check);
  const inconsistent = checkDurations(log, null);
  check('durations', inconsistent === null, inconsistent?.detail ?? 'what was played fits between started_at and ended_at');
  checkPlace(verdict.distance_m, enrichment.store_location, log.location, rules, check);
}

/** Rules 5 and 6. */
function checkReceipt(said: unknown, log: DecodedLog, rules: RuleSettings, check: Checker): void {
  const receivedAt = instant(said);
  const fault: Fault | null = receivedAt === null ? null : checkTime(log, { receivedAt, rules });
  check('time', receivedAt !== null && fault === null, fault?.detail ?? `received at ${told(said ?? 'no time that it says')}`);
}

function checkPlace(said: unknown, storeAt: unknown, playedAt: GeoPoint | null, rules: RuleSettings, check: Checker): void {
  if (playedAt === null) {
    check('distance', said === null || said === undefined, 'the log has no location');
    return;
  }
  const store = point(storeAt);
  if (store === null) {
    check('distance', false, 'the evidence does not say where the store is');
    return;
  }
  const metres = distanceM(playedAt, store);
  // The service writes it down to 0.1 m.
  check(
    'distance',
    near(said, metres, 0.0501) && checkDistance(metres, rules) === null,
    `${Math.round(metres * 10) / 10} m from the store, the file says ${told(said)}`,
  );
}

function decode(signed: unknown, signature: unknown, rules: RuleSettings): { log: DecodedLog } | { fault: string } {
  if (typeof signed !== 'object' || signed === null || Array.isArray(signed)) return { fault: 'what was signed is no playback log' };
  const decoded = decodeLog({ ...signed, signature }, rules);
  return decoded.ok ? { log: decoded.log } : { fault: decoded.detail };
}

function parse(bytes: Uint8Array): unknown {
  try {
    return parseStrictJson(bytes);
  } catch {
    return undefined;
  }
}

function read(document: unknown): Evidence {
  const top = object(document);
  return {
    log: object(top.log),
    canonical: top.canonical,
    signature: top.signature,
    contentHash: top.content_hash,
    key: object(top.key),
    verdict: object(top.verdict),
    enrichment: object(top.enrichment),
  };
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function point(value: unknown): GeoPoint | null {
  const { lat, lng } = object(value);
  return typeof lat === 'number' && typeof lng === 'number' ? { lat, lng } : null;
}

function instant(value: unknown): number | null {
  return typeof value === 'string' ? (parseTimestamp(value) ?? null) : null;
}

function readableOrOpen(value: unknown): boolean {
  return value === null || value === undefined || instant(value) !== null;
}

function near(value: unknown, expected: number, tolerance: number): boolean {
  return typeof value === 'number' && Math.abs(value - expected) <= tolerance;
}

/** A value of the file in a sentence, bounded. */
function told(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
