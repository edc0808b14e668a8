/** Evidence of the contract's accepted cases, as the service answers it. */
import { DEFAULT_RULES } from '../../src/domain/limits.ts';
import type { Play } from '../../src/domain/play.ts';
import { type DecodedLog, decodeLog } from '../../src/domain/playback-log.ts';
import { judge } from '../../src/domain/rules.ts';
import { formatInstant } from '../../src/domain/timestamp.ts';
import { evidenceOf as answered } from '../../src/query/play-routes.ts';
import { instantOf, readVectors, type VectorCase, vectorFacts } from './vector-facts.ts';

export const vectors = readVectors();
const facts = vectorFacts(vectors.registry);

export interface Evidence {
  log: Record<string, unknown>;
  canonical: string;
  signature: string;
  content_hash: string;
  key: Record<string, unknown>;
  verdict: Record<string, unknown>;
  enrichment: Record<string, unknown>;
}

/** As the service answers it, for every accepted case of the contract. */
export const evidences = vectors.cases
  .filter((one) => one.expect.outcome === 'accepted')
  .map((one): { name: string; evidence: Evidence; play: Play } => {
    const log = signedOf(one);
    const judged = judge(decoded(log), facts, { receivedAt: instantOf(one.received_at), clockChecked: false, rules: DEFAULT_RULES });
    if (judged.outcome !== 'accepted') throw new Error(judged.detail);
    return { name: one.name, evidence: evidenceOf(log, judged.play), play: judged.play };
  });

export function signedOf({ body }: VectorCase): Record<string, unknown> {
  return JSON.parse(Buffer.from(body, 'base64').toString('utf8')) as Record<string, unknown>;
}

export function decoded(log: Record<string, unknown>): DecodedLog {
  const result = decodeLog(log, DEFAULT_RULES);
  if (!result.ok) throw new Error(result.detail);
  return result.log;
}

export function evidenceOf(log: Record<string, unknown>, play: Play): Evidence {
  const key = facts.device(play.deviceId)?.keys.find(({ keyId }) => keyId === play.keyId);
  if (!key) throw new Error(`no key "${play.keyId}" of device ${play.deviceId}`);
  return { ...answered({ play, positions: { journal: '1', feed: '1' } }, key.publicKey), log };
}

/** One with a location and a key that begins, so that every check has something to look at. */
export const rich = evidences.find(
  ({ play }) => play.distanceM !== null && play.keyValidFrom !== null && play.billable,
) as (typeof evidences)[number];

/** An instant after the play's end (before it, where negative). */
export function beside({ log }: Evidence, offset: number): string {
  return formatInstant(instantOf(String(log.ended_at)) + offset);
}

/** One bit of it turned. */
export function flip(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes[10] = (bytes[10] ?? 0) ^ 1;
  return bytes.toString('base64');
}
