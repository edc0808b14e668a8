/**
 * Rules 2, 3 and 5 to 9, in this order, the first failure wins. Rule 1 is `decodeLog`; rule 4 is the recorder's, who knows what was
 * seen before. Nothing here asks for the time: `receivedAt` was taken once when the request arrived.
 */
import { classify } from './classification.ts';
import type { Code } from './codes.ts';
import type { Assignment, CampaignFacts, ContentFacts, DeviceFacts, DeviceKey, FactSource } from './facts.ts';
import { distanceM } from './geo.ts';
import { findSigningKey } from './keys.ts';
import { DURATION_TOLERANCE_MS, RULE_VERSION, type RuleSettings } from './limits.ts';
import type { Play } from './play.ts';
import type { DecodedLog } from './playback-log.ts';
import { formatInstant } from './timestamp.ts';

export interface JudgeContext {
  /** Milliseconds since 1970 UTC. */
  readonly receivedAt: number;
  /** Whether the request told its send time, and it was right. */
  readonly clockChecked: boolean;
  readonly rules: RuleSettings;
}

export interface RefusedJudgement {
  readonly outcome: 'refused';
  readonly code: Code;
  /** One sentence that says what to change; without places, signatures or keys. */
  readonly detail: string;
  /** The signature was verified. */
  readonly proven: boolean;
  /** The refusal rests on the registry, so a fresh look at it could change it. */
  readonly rests: boolean;
  readonly deviceKnown: boolean;
  /** Of the device when the play ended, and of the campaign that the log names, where the registry has them. */
  readonly storeId: string | null;
  readonly supplierId: string | null;
  readonly advertiserId: string | null;
}

export interface AcceptedJudgement {
  readonly outcome: 'accepted';
  readonly play: Play;
}

export type Judgement = AcceptedJudgement | RefusedJudgement;

/** Whether the send time that a request tells is near enough to the server's. */
export function checkSendTime(sentAt: number, receivedAt: number, rules: RuleSettings): boolean {
  return Math.abs(sentAt - receivedAt) <= rules.maxAheadMs;
}

/** @throws Error when a registered key cannot be read (see `verifySignature`). */
export function judge(log: DecodedLog, facts: FactSource, context: JudgeContext): Judgement {
  const device = facts.device(log.deviceId);
  const campaign = facts.campaign(log.campaignId);
  const assignment = device === null ? null : assignmentAt(device, log.endedAt);
  const refuse = (fault: Fault, proven: boolean): RefusedJudgement => ({
    outcome: 'refused',
    code: fault.code,
    detail: fault.detail,
    proven,
    rests: fault.rests,
    deviceKnown: device !== null,
    storeId: assignment?.store.storeId ?? null,
    supplierId: assignment?.store.supplierId ?? null,
    advertiserId: campaign?.advertiserId ?? null,
  });

  if (device === null) return refuse(UNKNOWN_DEVICE, false);
  if (assignment === null || !assignment.active) return refuse(disabled(log), false);
  const signed = findSigningKey(device, log, context.receivedAt);
  if (!signed.ok) return refuse({ ...signed, rests: true }, false);
  const content = facts.content(log.contentId);
  const distance = log.location === null ? null : distanceM(log.location, assignment.store.location);
  const fault =
    checkTime(log, context) ?? checkDurations(log, content) ?? checkDistance(distance, context.rules) ?? checkCampaign(log, campaign);
  if (fault !== null) return refuse(fault, true);
  return {
    outcome: 'accepted',
    play: makePlay(log, context, assignment, signed.key, campaign as CampaignFacts, content !== null, distance),
  };
}

/** What a rule has against a log. */
export interface Fault {
  readonly code: Code;
  readonly detail: string;
  /** It rests on the registry. */
  readonly rests: boolean;
}

const UNKNOWN_DEVICE: Fault = {
  code: 'unknown_device',
  detail: 'No device is registered under this device_id; register it, then send the log again.',
  rests: true,
};

/** Where the device stood at `instant`; null before its first assignment. */
function assignmentAt(device: DeviceFacts, instant: number): Assignment | null {
  for (let i = device.assignments.length - 1; i >= 0; i -= 1) {
    const assignment = device.assignments[i] as Assignment;
    if (assignment.since === null || assignment.since <= instant) return assignment;
  }
  return null;
}

function disabled(log: DecodedLog): Fault {
  const detail = `The device was not active when the play ended at ${formatInstant(log.endedAt)}; plays of that time are not taken.`;
  return { code: 'device_disabled', detail, rests: true };
}

/** Rules 5 and 6; exactly on the bound is inside. */
export function checkTime(log: DecodedLog, { receivedAt, rules }: Pick<JudgeContext, 'receivedAt' | 'rules'>): Fault | null {
  const ahead = log.endedAt - receivedAt;
  if (ahead > rules.maxAheadMs) {
    const detail = `ended_at lies ${seconds(ahead)} after the receipt at ${formatInstant(receivedAt)}, and ${seconds(rules.maxAheadMs)} are allowed; set the clock of the device.`;
    return { code: 'in_future', detail, rests: false };
  }
  if (-ahead > rules.maxAgeMs) {
    const detail = `ended_at lies ${seconds(-ahead)} before the receipt at ${formatInstant(receivedAt)}, and ${seconds(rules.maxAgeMs)} are allowed; send logs sooner, this one is not taken any more.`;
    return { code: 'too_old', detail, rests: false };
  }
  return null;
}

/** Rule 7. What the log says of itself comes first: that cannot change with the registry. @param content Null: only that. */
export function checkDurations(log: DecodedLog, content: ContentFacts | null): Fault | null {
  const span = log.endedAt - log.startedAt;
  if (span < 0) return inconsistent(`ended_at lies ${seconds(-span)} before started_at; send the times of the play in their order.`, false);
  if (log.durationActualMs > span + DURATION_TOLERANCE_MS) {
    return inconsistent(
      `duration_actual is ${seconds(log.durationActualMs)} and only ${seconds(span)} lie between started_at and ended_at (${seconds(DURATION_TOLERANCE_MS)} more is allowed); send what was really played.`,
      false,
    );
  }
  if (content !== null && content.durationMs !== log.durationExpectedMs) {
    return inconsistent(
      `duration_expected is ${seconds(log.durationExpectedMs)} and the catalogue has ${seconds(content.durationMs)} for this content; send the duration of the catalogue.`,
      true,
    );
  }
  return null;
}

function inconsistent(detail: string, rests: boolean): Fault {
  return { code: 'duration_inconsistent', detail, rests };
}

/** Rule 8, on the distance as computed; only what is recorded is rounded. */
export function checkDistance(distance: number | null, rules: RuleSettings): Fault | null {
  if (distance === null || distance <= rules.maxDistanceM) return null;
  // Rounded up, so that the sentence never says that the bound itself was too far.
  const detail = `The location lies ${Math.ceil(distance * 10) / 10} m from the store of the device, and ${rules.maxDistanceM} m are allowed; correct the GPS, or the store that the device is assigned to.`;
  return { code: 'location_out_of_range', detail, rests: true };
}

/** Rule 9. */
function checkCampaign(log: DecodedLog, campaign: CampaignFacts | null): Fault | null {
  if (campaign === null) {
    return {
      code: 'unknown_campaign',
      detail: 'No campaign is registered under this campaign_id; register it, then send the log again.',
      rests: true,
    };
  }
  if (campaign.retiredAt === null || log.endedAt < campaign.retiredAt) return null;
  const detail = `The campaign was retired at ${formatInstant(campaign.retiredAt)}, and the play ended at ${formatInstant(log.endedAt)}; show a campaign that runs.`;
  return { code: 'unknown_campaign', detail, rests: true };
}

function makePlay(
  log: DecodedLog,
  { receivedAt, clockChecked, rules }: JudgeContext,
  { store }: Assignment,
  key: DeviceKey,
  campaign: CampaignFacts,
  contentKnown: boolean,
  distance: number | null,
): Play {
  const { status, billable } = classify(log.reportedStatus, log.durationActualMs, log.durationExpectedMs, rules, contentKnown);
  return {
    logId: log.logId,
    deviceId: log.deviceId,
    campaignId: log.campaignId,
    contentId: log.contentId,
    storeId: store.storeId,
    supplierId: store.supplierId,
    advertiserId: campaign.advertiserId,
    region: store.region,
    storeLocation: store.location,
    contentHash: log.contentHash,
    startedAt: log.startedAt,
    endedAt: log.endedAt,
    receivedAt,
    durationActualMs: log.durationActualMs,
    durationExpectedMs: log.durationExpectedMs,
    status,
    reportedStatus: log.reportedStatus,
    billable,
    distanceM: distance === null ? null : roundDistance(distance),
    contentKnown,
    clockChecked,
    ruleVersion: RULE_VERSION,
    keyId: key.keyId,
    keyAlgorithm: key.algorithm,
    keyValidFrom: key.validFrom,
    keyValidUntil: key.validUntil,
    canonical: log.canonical,
    signature: log.signature,
  };
}

/** To 0.1 m: a screen's GPS is no better, and rows stay readable. */
function roundDistance(metres: number): number {
  return Math.round(metres * 10) / 10;
}

function seconds(milliseconds: number): string {
  return `${milliseconds / 1000} s`;
}
