/**
 * Playback logs, built and signed without the code under test: the canonical form comes from the package `canonicalize`, hash and
 * signature from node:crypto.
 */
import { constants, createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import canonicalize from 'canonicalize';

export type Algorithm = 'RS256' | 'PS256';

/** What signs logs. */
export interface SigningKey {
  readonly keyId: string;
  readonly algorithm: Algorithm;
  /** SPKI PEM. */
  readonly publicKey: string;
  /** Of the canonical bytes, base64. */
  readonly sign: (bytes: Uint8Array) => string;
}

export interface TestKey extends SigningKey {
  readonly privateKey: KeyObject;
}

export type LogFields = Readonly<Record<string, unknown>>;

export interface SignedLog {
  /** Lower case. */
  readonly logId: string;
  /** SHA-256 of the canonical form without the signature, hex. */
  readonly hash: string;
  /** The log as JSON text. */
  readonly body: string;
  /** Whether the device's own key signed exactly this. */
  readonly provable: boolean;
}

export function makeKey(keyId: string, algorithm: Algorithm = 'RS256', modulusLength = 2048): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength });
  const padding =
    algorithm === 'PS256' ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } : { padding: constants.RSA_PKCS1_PADDING };
  return {
    keyId,
    algorithm,
    privateKey,
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }),
    sign: (bytes) => sign('sha256', bytes, { key: privateKey, ...padding }).toString('base64'),
  };
}

export function canonicalBytes(fields: LogFields): Buffer {
  return Buffer.from(canonicalize(fields) as string, 'utf8');
}

export function signLog(fields: LogFields, key: SigningKey): SignedLog {
  const canonical = canonicalBytes(fields);
  return asSent({ ...fields, signature: key.sign(canonical) }, canonical, true);
}

/** The log with other fields under the old signature. */
export function tamper(log: SignedLog, changes: LogFields): SignedLog {
  const { signature, ...fields } = { ...(JSON.parse(log.body) as Record<string, unknown>), ...changes };
  return asSent({ ...fields, signature }, canonicalBytes(fields), false);
}

function asSent(log: LogFields, canonical: Uint8Array, provable: boolean): SignedLog {
  const hash = createHash('sha256').update(canonical).digest('hex');
  return { logId: String(log['log_id']).toLowerCase(), hash, body: JSON.stringify(log), provable };
}

export interface LogOptions {
  readonly deviceId: string;
  readonly campaignId: string;
  readonly contentId: string;
  /** Milliseconds since 1970; now minus five seconds without it. */
  readonly endedAt?: number;
}

/** Fields of a whole, billable play of 15 seconds. `changes` replaces any of them; undefined leaves a field out. */
export function logFields(options: LogOptions, changes: LogFields = {}): LogFields {
  const endedAt = options.endedAt ?? Date.now() - 5_000;
  const fields: Record<string, unknown> = {
    log_id: randomUUID(),
    device_id: options.deviceId,
    campaign_id: options.campaignId,
    content_id: options.contentId,
    started_at: new Date(endedAt - 15_000).toISOString(),
    ended_at: new Date(endedAt).toISOString(),
    duration_actual: 15,
    duration_expected: 15,
    status: 'COMPLETED',
    ...changes,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
