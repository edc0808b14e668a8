/** The feed's record (the contract's section 5): what billing reads, one flat JSON object for each play. */
import { completionOf, type Play } from '../domain/play.ts';
import { formatInstant } from '../domain/timestamp.ts';

interface SignedExtras {
  readonly location?: { readonly lat: number; readonly lng: number } | null;
  readonly screenshot_hash?: string | null;
}

/** @param play Ids in lower case, instants in UTC with milliseconds, durations in seconds. */
export function feedRecord(play: Play) {
  const signed = JSON.parse(Buffer.from(play.canonical).toString('utf8')) as SignedExtras;
  return {
    log_id: play.logId,
    device_id: play.deviceId,
    campaign_id: play.campaignId,
    content_id: play.contentId,
    started_at: formatInstant(play.startedAt),
    ended_at: formatInstant(play.endedAt),
    duration_actual: play.durationActualMs / 1000,
    duration_expected: play.durationExpectedMs / 1000,
    location: signed.location ?? null,
    screenshot_hash: signed.screenshot_hash ?? null,
    status: play.status,
    reported_status: play.reportedStatus,
    billable: play.billable,
    completion: completionOf(play.durationActualMs, play.durationExpectedMs),
    store_id: play.storeId,
    region: play.region,
    supplier_id: play.supplierId,
    advertiser_id: play.advertiserId,
    received_at: formatInstant(play.receivedAt),
    distance_m: play.distanceM,
    content_known: play.contentKnown,
    clock_checked: play.clockChecked,
    rule_version: play.ruleVersion,
    content_hash: play.contentHash,
    key_id: play.keyId,
    signature: Buffer.from(play.signature).toString('base64'),
  };
}

export type FeedRecord = ReturnType<typeof feedRecord>;
