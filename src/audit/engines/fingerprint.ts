/** What has to agree in the feed, in a few bytes: worked out of an archived play and of a feed record. Of a row: ../fingerprint.ts. */
import type { Play } from '../../domain/play.ts';
import { feedRecord } from '../../feed/feed-record.ts';
import { digest, FINGERPRINT_BYTES } from '../fingerprint.ts';
import { ORIGIN_BYTES } from './entries.ts';

/** Of a feed record as it was read. A key has a fixed length, so nothing can be moved over to the value. */
export function feedFingerprint(key: string, value: string): Uint8Array {
  return digest(`${key}\n${value}`, FINGERPRINT_BYTES);
}

/** Of the feed record that this play has to have, byte for byte. */
export function feedFingerprintOf(play: Play): Uint8Array {
  return feedFingerprint(play.deviceId, JSON.stringify(feedRecord(play)));
}

/** @param position `<journal_id>/<partition>/<offset>` */
export function originOf(position: string): Uint8Array {
  return digest(position, ORIGIN_BYTES);
}
