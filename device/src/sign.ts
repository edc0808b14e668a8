/** From one play to the signed playback log that is queued and sent, byte for byte. */
import { constants, createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { canonicalize } from './canonical-json.ts';
import { DeviceError } from './errors.ts';

export type PlaybackStatus = 'COMPLETED' | 'PARTIAL' | 'SKIPPED' | 'ERROR';
export type SignatureAlgorithm = 'RS256' | 'PS256';

/** What the player knows about one showing. Durations in seconds (kept to the millisecond), instants as Date or milliseconds. */
export interface PlayInput {
  readonly campaignId: string;
  readonly contentId: string;
  readonly startedAt: Date | number;
  readonly endedAt: Date | number;
  readonly durationActual: number;
  readonly durationExpected: number;
  readonly status: PlaybackStatus;
  readonly location?: { readonly lat: number; readonly lng: number };
  /** 64 hex digits of SHA-256, with or without `sha256:` before them. */
  readonly screenshotHash?: string;
}

/** The playback log as the service reads it, before it is signed. */
export interface UnsignedLog {
  readonly log_id: string;
  readonly device_id: string;
  readonly campaign_id: string;
  readonly content_id: string;
  readonly started_at: string;
  readonly ended_at: string;
  readonly duration_actual: number;
  readonly duration_expected: number;
  readonly status: string;
  readonly key_id: string;
  readonly location?: { readonly lat: number; readonly lng: number };
  readonly screenshot_hash?: string;
}

export interface SignedLog {
  readonly logId: string;
  /** SHA-256 of what was signed, in lower-case hex: the service's `content_hash`. */
  readonly contentHash: string;
  /** The JSON to be sent. Every attempt sends exactly these characters. */
  readonly text: string;
}

export interface SigningKey {
  readonly keyId: string;
  readonly algorithm: SignatureAlgorithm;
  readonly key: KeyObject;
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** @throws DeviceError `invalid_option` for anything but an RSA private key of 2048 to 4096 bits with e = 65537. */
export function loadSigningKey(keyId: string, algorithm: SignatureAlgorithm, privateKey: string | KeyObject): SigningKey {
  if (algorithm !== 'RS256' && algorithm !== 'PS256') throw new DeviceError('invalid_option', 'algorithm must be RS256 or PS256');
  if (keyId.length < 1 || keyId.length > 64) throw new DeviceError('invalid_option', 'keyId must have 1 to 64 characters');
  let key: KeyObject;
  try {
    key = typeof privateKey === 'string' ? createPrivateKey(privateKey) : privateKey;
  } catch (error) {
    throw new DeviceError('invalid_option', 'privateKey cannot be read; give a PEM of an RSA private key without a passphrase', error);
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  const suits = key.type === 'private' && key.asymmetricKeyType === 'rsa' && key.asymmetricKeyDetails?.publicExponent === 65537n;
  if (!suits || bits < 2048 || bits > 4096) {
    throw new DeviceError('invalid_option', 'privateKey must be an RSA private key of 2048 to 4096 bits with the exponent 65537');
  }
  return { keyId, algorithm, key };
}

/** @throws DeviceError `invalid_play` naming the field that no service would take. */
export function buildLog(logId: string, deviceId: string, keyId: string, play: PlayInput): UnsignedLog {
  return {
    log_id: checkUuid('invalid_play', 'logId', logId),
    device_id: checkUuid('invalid_play', 'deviceId', deviceId),
    campaign_id: checkUuid('invalid_play', 'campaignId', play.campaignId),
    content_id: checkUuid('invalid_play', 'contentId', play.contentId),
    started_at: formatInstant('startedAt', play.startedAt),
    ended_at: formatInstant('endedAt', play.endedAt),
    duration_actual: seconds('durationActual', play.durationActual),
    duration_expected: seconds('durationExpected', play.durationExpected),
    status: play.status,
    key_id: keyId,
    ...(play.location && { location: { lat: play.location.lat, lng: play.location.lng } }),
    ...(play.screenshotHash !== undefined && { screenshot_hash: play.screenshotHash }),
  };
}

/** Signs any record as it is: the canonical form of all its members, with `signature` added for sending. */
export function signLog(log: Readonly<Record<string, unknown>> | UnsignedLog, key: SigningKey): SignedLog {
  const canonical = Buffer.from(canonicalize(log), 'utf8');
  const signature = signBytes(canonical, key).toString('base64');
  const logId = 'log_id' in log && typeof log.log_id === 'string' ? log.log_id : '';
  return {
    logId,
    contentHash: createHash('sha256').update(canonical).digest('hex'),
    text: canonicalize({ ...log, signature }),
  };
}

/** PS256 pins the salt to 32 bytes: the service takes no other. */
function signBytes(bytes: Buffer, { algorithm, key }: SigningKey): Buffer {
  if (algorithm === 'RS256') return sign('sha256', bytes, { key, padding: constants.RSA_PKCS1_PADDING });
  return sign('sha256', bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
}

/** UTC with milliseconds and `Z`. */
export function formatInstant(field: string, instant: Date | number): string {
  const milliseconds = typeof instant === 'number' ? instant : instant.getTime();
  if (!(milliseconds >= 0 && milliseconds < 253_402_300_800_000)) {
    throw new DeviceError('invalid_play', `${field} must be an instant from 1970 to 9999, as a Date or in milliseconds`);
  }
  return new Date(Math.floor(milliseconds)).toISOString();
}

export function checkUuid(code: 'invalid_play' | 'invalid_option', field: string, text: string): string {
  if (!UUID.test(text)) throw new DeviceError(code, `${field} must be a UUID`);
  return text;
}

function seconds(field: string, value: number): number {
  if (!(value >= 0 && value <= 86_400)) throw new DeviceError('invalid_play', `${field} must be 0 to 86 400 seconds`);
  return Math.round(value * 1000) / 1000;
}
