/**
 * A stored play proven again from its signed bytes: canonical form, hash, fields, signature by the registered key, and the verdict by
 * every rule that needs nothing but the play itself (5, 6, 8, and 7 without the catalogue).
 */
import { contentHashOf } from '../domain/canonical-json.ts';
import { canonicalText } from '../domain/canonical-value.ts';
import { classifyAgain } from '../domain/classification.ts';
import type { DeviceKey } from '../domain/facts.ts';
import { distanceM } from '../domain/geo.ts';
import { RULE_VERSION, type RuleSettings } from '../domain/limits.ts';
import type { Play } from '../domain/play.ts';
import { type DecodedLog, decodeLog } from '../domain/playback-log.ts';
import { checkDistance, checkDurations, checkTime } from '../domain/rules.ts';
import { verifySignature } from '../domain/signature.ts';
import { parseStrictJson } from '../server/strict-json-body.ts';
import type { Kind } from './findings.ts';

export interface Doubt {
  readonly kind: Extract<Kind, 'signature_invalid' | 'verdict_differs'>;
  readonly detail: string;
}

/** The device's key as the registry has it now; null: it has none under this name. */
export type KeyLookup = (deviceId: string, keyId: string) => DeviceKey | null;

/** The service keeps 0.1 m. */
const DISTANCE_TOLERANCE_M = 0.0501;

export interface Recheck {
  /** Each way in which the play is not what it says. */
  readonly doubts: readonly Doubt[];
  /** It was judged by an earlier version of the rules, which this program has no more: without doubts, all is proven but the verdict. */
  readonly older: boolean;
}

/** @param rules The thresholds that are set now; no play tells those that it was judged by. @param version Of the rules of this program. */
export function recheck(play: Play, keyOf: KeyLookup, rules: RuleSettings, version = RULE_VERSION): Recheck {
  const older = play.ruleVersion > 0 && play.ruleVersion < version;
  return { doubts: doubtsOf(play, keyOf, rules, version), older };
}

function doubtsOf(play: Play, keyOf: KeyLookup, rules: RuleSettings, version: number): Doubt[] {
  const hash = contentHashOf(play.canonical);
  if (hash !== play.contentHash) return [unproven(`its signed bytes have the hash ${hash}, stored is ${play.contentHash}`)];
  const signed = parse(play.canonical);
  if (signed === null || canonicalText(signed) !== Buffer.from(play.canonical).toString('utf8'))
    return [unproven('its signed bytes are not in the form of RFC 8785')];
  const signature = Buffer.from(play.signature).toString('base64');
  const decoded = decodeLog({ ...signed, signature }, { ...rules, requireScreenshot: false });
  if (!decoded.ok) return [unproven(`its signed bytes are no playback log: ${decoded.detail}`)];
  const { log } = decoded;
  return [...proofOf(play, log, keyOf), ...fieldsOf(play, log), ...verdictOf(play, log, rules, version)];
}

function unproven(detail: string): Doubt {
  return { kind: 'signature_invalid', detail };
}

function parse(bytes: Uint8Array): object | null {
  try {
    const value = parseStrictJson(bytes);
    return typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    // Whatever is wrong with it, it is not what a device signed.
    return null;
  }
}

function proofOf(play: Play, log: DecodedLog, keyOf: KeyLookup): Doubt[] {
  const key = keyOf(log.deviceId, play.keyId);
  if (!key) return [unproven(`the registry has no key "${play.keyId}" of device ${log.deviceId}`)];
  if (key.algorithm !== play.keyAlgorithm || key.validFrom !== play.keyValidFrom)
    return [unproven(`the registry has another key "${play.keyId}" of device ${log.deviceId} than the one that verified it`)];
  if (log.keyId !== null && log.keyId !== play.keyId) return [unproven(`it names the key "${log.keyId}", stored is "${play.keyId}"`)];
  if (!verifies(key, play)) return [unproven(`its signature does not fit the key "${play.keyId}" of device ${log.deviceId}`)];
  // As the key stood when the log was judged: a later revocation rewrites nothing.
  const { keyValidFrom: from, keyValidUntil: until } = play;
  const valid = (from === null || from <= log.endedAt) && (until === null || log.endedAt < until);
  return valid ? [] : [unproven(`the key "${play.keyId}" was not valid when the play ended`)];
}

function verifies(key: DeviceKey, play: Play): boolean {
  try {
    return verifySignature(key, play.canonical, play.signature);
  } catch {
    // A key in the registry that cannot be read proves nothing.
    return false;
  }
}

type Pair = readonly [name: string, stored: unknown, is: unknown];

function differences(pairs: readonly Pair[]): Doubt[] {
  return pairs
    .filter(([, stored, is]) => stored !== is)
    .map(([name, stored, is]) => differs(`${name} is stored as ${told(stored)} and comes to ${told(is)}`));
}

function differs(detail: string): Doubt {
  return { kind: 'verdict_differs', detail };
}

/** What was signed against what is stored beside it. */
function fieldsOf(play: Play, log: DecodedLog): Doubt[] {
  return differences([
    ['log_id', play.logId, log.logId],
    ['device_id', play.deviceId, log.deviceId],
    ['campaign_id', play.campaignId, log.campaignId],
    ['content_id', play.contentId, log.contentId],
    ['started_at', play.startedAt, log.startedAt],
    ['ended_at', play.endedAt, log.endedAt],
    ['duration_actual', play.durationActualMs, log.durationActualMs],
    ['duration_expected', play.durationExpectedMs, log.durationExpectedMs],
    ['reported_status', play.reportedStatus, log.reportedStatus],
  ]);
}

/** The verdict computed again. An earlier version of the rules may have decided otherwise, a later one cannot be known. */
function verdictOf(play: Play, log: DecodedLog, rules: RuleSettings, version: number): Doubt[] {
  const { ruleVersion } = play;
  if (ruleVersion < 1 || ruleVersion > version)
    return [differs(`it was judged by version ${ruleVersion} of the rules, this program knows ${version}`)];
  if (ruleVersion < version) return [];
  const verdict = classifyAgain(play, log.reportedStatus, log.durationActualMs, log.durationExpectedMs, rules);
  const metres = log.location === null ? null : distanceM(log.location, play.storeLocation);
  const near =
    metres === null || play.distanceM === null ? metres === play.distanceM : Math.abs(metres - play.distanceM) <= DISTANCE_TOLERANCE_M;
  const refusals = [checkTime(log, { receivedAt: play.receivedAt, rules }), checkDurations(log, null), checkDistance(metres, rules)];
  return [
    ...differences([
      ['status', play.status, verdict.status],
      ['billable', play.billable, verdict.billable],
      ['distance_m', near ? metres : play.distanceM, metres],
    ]),
    ...refusals
      .filter((fault) => fault !== null)
      .map(({ code, detail }) => differs(`by the thresholds that are set now it is refused, ${code}: ${detail}`)),
  ];
}

function told(value: unknown): string {
  return JSON.stringify(value) ?? 'nothing';
}
