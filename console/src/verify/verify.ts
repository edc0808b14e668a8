/**
 * Verifies the evidence of a play in this browser, with WebCrypto, on the bytes that were signed. Nothing here asks the service:
 * that is the point.
 */
import { canonicalText } from '../../../src/domain/canonical-value.ts';
import { classifyAgain } from '../../../src/domain/classification.ts';
import { distanceM } from '../../../src/domain/geo.ts';
import { DURATION_TOLERANCE_MS } from '../../../src/domain/limits.ts';
import type { Calls } from '../api/types.ts';
import { precise } from '../lib/format.ts';

export type Evidence = Calls['GET /api/v1/playback-logs/{log_id}']['answer'];
/** As the service has them now: no play tells those that it was judged by. */
export type Thresholds = Calls['GET /api/v1/session']['answer']['rules'];

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What was seen, a sentence. */
  readonly saw: string;
}

export interface Verification {
  readonly ok: boolean;
  readonly checks: readonly Check[];
  /** SHA-256 of the key, so that it can be compared with one from elsewhere. */
  readonly keyFingerprint: string | null;
}

/** Why this browser cannot verify; null: it can. */
export function obstacle(): string | null {
  return globalThis.crypto?.subtle === undefined
    ? 'Browsers verify signatures only on pages that came over HTTPS or from this very computer. Open the console that way, or download the evidence and run `npx playproof verify`.'
    : null;
}

/** Never throws for what is in the evidence. */
export async function verify(evidence: Evidence, thresholds: Thresholds): Promise<Verification> {
  const checks: Check[] = [];
  const check = (name: string, ok: boolean, saw: string): boolean => {
    checks.push({ name, ok, saw });
    return ok;
  };
  const bytes = bytesOf(evidence.canonical);
  if (bytes === null) {
    check('Signed bytes', false, 'They are not readable base64.');
    return { ok: false, checks, keyFingerprint: null };
  }
  const hash = hex(await crypto.subtle.digest('SHA-256', bytes));
  const sameHash = hash === evidence.content_hash;
  check(
    'Content hash',
    sameHash,
    sameHash
      ? `SHA-256 of the ${bytes.length} signed bytes is ${hash}.`
      : `SHA-256 is ${hash}, and the evidence says ${evidence.content_hash}.`,
  );
  const keyFingerprint = await checkSignature(evidence, bytes, check);
  checkLog(evidence, bytes, check);
  checkKeyValidity(evidence, check);
  checkVerdict(evidence, thresholds, check);
  checkTimes(evidence, thresholds, check);
  checkPlace(evidence, thresholds, check);
  return { ok: checks.every(({ ok }) => ok), checks, keyFingerprint };
}

type Checker = (name: string, ok: boolean, saw: string) => boolean;
type Bytes = Uint8Array<ArrayBuffer>;

async function checkSignature({ key, signature }: Evidence, bytes: Bytes, check: Checker): Promise<string | null> {
  const spki = pemBytes(key.public_key);
  const signed = bytesOf(signature);
  if (spki === null || signed === null) {
    check('Signature', false, spki === null ? 'The public key is not readable.' : 'The signature is not readable base64.');
    return null;
  }
  const name = key.algorithm === 'PS256' ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5';
  let valid = false;
  try {
    const imported = await crypto.subtle.importKey('spki', spki, { name, hash: 'SHA-256' }, false, ['verify']);
    // PS256 with a salt of exactly 32 bytes, as the contract says; RS256 has none and ignores it.
    valid = await crypto.subtle.verify({ name, saltLength: 32 }, imported, signed, bytes);
  } catch {
    valid = false;
  }
  check(
    'Signature',
    valid,
    valid
      ? `The ${key.algorithm} signature fits these bytes and the key “${key.key_id}”.`
      : `The ${key.algorithm} signature does not fit these bytes and the key “${key.key_id}”.`,
  );
  return hex(await crypto.subtle.digest('SHA-256', spki));
}

/** What is shown as the log is what was signed, in its one canonical form. */
function checkLog({ log, signature }: Evidence, bytes: Bytes, check: Checker): void {
  let text: string | null;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    text = null;
  }
  const { signature: own, ...unsigned } = log;
  const same = text !== null && canonicalText(unsigned) === text && (own === undefined || own === signature);
  check(
    'The log shown',
    same,
    same ? 'What this page shows is what was signed, to the last byte.' : 'What is shown differs from what was signed.',
  );
}

function checkKeyValidity({ key, log }: Evidence, check: Checker): void {
  const ended = Date.parse(String(log.ended_at));
  const from = key.valid_from === null ? Number.NEGATIVE_INFINITY : Date.parse(key.valid_from);
  const until = key.valid_until === null ? Number.POSITIVE_INFINITY : Date.parse(key.valid_until);
  const valid = from <= ended && ended < until;
  const span = `from ${key.valid_from ?? 'the beginning'} until ${key.valid_until ?? 'further notice'}`;
  check('Key validity', valid, `The key was valid ${span}; the play ended at ${String(log.ended_at)}.`);
}

/** What follows from the log is computed again. */
function checkVerdict({ log, verdict }: Evidence, thresholds: Thresholds, check: Checker): void {
  const [actual, expected] = [Number(log.duration_actual), Number(log.duration_expected)];
  const completion = Math.min(1, actual / expected);
  const near = Math.abs(completion - verdict.completion) < 1e-9;
  check(
    'Completion',
    near,
    `${precise(actual)} of ${precise(expected)} s is ${precise(completion * 100)} %; the verdict says ${precise(verdict.completion * 100)} %.`,
  );
  const rules = { completionThreshold: thresholds.completion_threshold, requireCatalogue: thresholds.require_catalogue };
  const [actualMs, expectedMs] = [Math.round(actual * 1_000), Math.round(expected * 1_000)];
  const stored = { billable: verdict.billable, contentKnown: verdict.content_known };
  const { status, billable } = classifyAgain(stored, verdict.reported_status, actualMs, expectedMs, rules);
  check(
    'Verdict',
    log.status === verdict.reported_status && verdict.status === status && verdict.billable === billable,
    `The device claims ${String(log.status)}; recorded as ${verdict.status}, ${verdict.billable ? 'billable' : 'not billable'}.`,
  );
}

/** Rules 5, 6 and 7; the catalogue of rule 7 is the service's. */
function checkTimes({ log, verdict }: Evidence, thresholds: Thresholds, check: Checker): void {
  const started = Date.parse(String(log.started_at));
  const ended = Date.parse(String(log.ended_at));
  const late = Date.parse(verdict.received_at) - ended;
  check(
    'Time of receipt',
    -late <= thresholds.max_ahead_seconds * 1_000 && late <= thresholds.max_age_seconds * 1_000,
    `Received ${precise(Math.abs(late) / 1_000)} s ${late < 0 ? 'before' : 'after'} it ended; ${precise(thresholds.max_ahead_seconds / 60)} min before and ${precise(thresholds.max_age_seconds / 3_600)} h after are allowed.`,
  );
  const span = ended - started;
  check(
    'Durations',
    span >= 0 && Number(log.duration_actual) * 1_000 <= span + DURATION_TOLERANCE_MS,
    `${precise(Number(log.duration_actual))} s shown, in the ${precise(span / 1_000)} s between its start and its end.`,
  );
}

/** Rule 8, and the distance that the service recorded. */
function checkPlace({ log, verdict, enrichment }: Evidence, thresholds: Thresholds, check: Checker): void {
  const place = log.location as { lat: number; lng: number } | null | undefined;
  if (!place) {
    if (verdict.distance_m !== null) check('Distance', false, 'A distance is recorded, and the log has no location.');
    return;
  }
  const metres = distanceM(place, enrichment.store_location);
  check(
    'Distance',
    verdict.distance_m !== null && Math.abs(metres - verdict.distance_m) <= 0.0501 && metres <= thresholds.max_distance_m,
    `The screen was ${precise(Math.round(metres * 10) / 10)} m from its store; ${precise(thresholds.max_distance_m)} m are allowed.`,
  );
}

/** The same evidence with the lowest bit of one signed byte turned, for whoever wants to see a no. */
export function withOneByteChanged(evidence: Evidence): Evidence {
  const bytes = bytesOf(evidence.canonical);
  if (bytes === null || bytes.length === 0) return evidence;
  const place = Math.floor(bytes.length / 2);
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  return { ...evidence, canonical: btoa(String.fromCharCode(...bytes)) };
}

export function bytesOf(base64: string): Bytes | null {
  try {
    return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}

/** The signed bytes as text. */
export function canonicalOf(evidence: Evidence): string {
  return new TextDecoder().decode(bytesOf(evidence.canonical) ?? new Uint8Array());
}

function pemBytes(pem: string): Bytes | null {
  const found = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----/.exec(pem);
  return found ? bytesOf((found[1] ?? '').replaceAll(/\s/g, '')) : null;
}

function hex(bytes: ArrayBuffer): string {
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
