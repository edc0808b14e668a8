import { constants, createHash, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonicalize } from '../src/canonical-json.ts';
import { buildLog, loadSigningKey, type PlayInput, signLog } from '../src/sign.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const publicKey = createPublicKey(privateKey);
const LOG_ID = '01923456-789a-7000-8000-000000000001';
const DEVICE_ID = '2330fcf1-562a-44b8-8866-8d77e827062c';
const play: PlayInput = {
  campaignId: 'bafe9bd1-20c5-4152-9127-c47089bf36a2',
  contentId: '98daa4bf-7559-4f89-b3fb-95ee22432045',
  startedAt: new Date('2026-11-20T10:00:00+07:00'),
  endedAt: Date.parse('2026-11-20T03:00:15.250Z'),
  durationActual: 15.0004,
  durationExpected: 15,
  status: 'COMPLETED',
};

describe('signing', () => {
  it.each(['RS256', 'PS256'] as const)('%s: the text holds the log, and the signature is over its canonical form', (algorithm) => {
    const log = buildLog(LOG_ID, DEVICE_ID, 'k1', { ...play, location: { lat: 10.7725, lng: 106.698 } });
    const signed = signLog(log, loadSigningKey('k1', algorithm, privateKey));
    const { signature, ...rest } = JSON.parse(signed.text) as Record<string, unknown>;
    expect(rest).toEqual({
      log_id: LOG_ID,
      device_id: DEVICE_ID,
      campaign_id: play.campaignId,
      content_id: play.contentId,
      started_at: '2026-11-20T03:00:00.000Z',
      ended_at: '2026-11-20T03:00:15.250Z',
      duration_actual: 15,
      duration_expected: 15,
      status: 'COMPLETED',
      key_id: 'k1',
      location: { lat: 10.7725, lng: 106.698 },
    });
    const bytes = Buffer.from(canonicalize(rest));
    const padding =
      algorithm === 'PS256' ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } : { padding: constants.RSA_PKCS1_PADDING };
    expect(verify('sha256', bytes, { key: publicKey, ...padding }, Buffer.from(String(signature), 'base64'))).toBe(true);
    expect(signed.contentHash).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(signed.logId).toBe(LOG_ID);
  });

  it.each([
    ['campaignId', { ...play, campaignId: 'nobody' }],
    ['endedAt', { ...play, endedAt: Number.NaN }],
    ['startedAt', { ...play, startedAt: new Date('no date') }],
    ['durationActual', { ...play, durationActual: -1 }],
    ['durationExpected', { ...play, durationExpected: 100_000 }],
  ])('refuses a play whose %s no service would take', (field, input) => {
    expect(() => buildLog(LOG_ID, DEVICE_ID, 'k1', input)).toThrow(field);
  });

  it('refuses keys that cannot be registered', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
    const curve = generateKeyPairSync('ed25519').privateKey;
    for (const key of [weak, curve, publicKey, 'no key']) expect(() => loadSigningKey('k1', 'RS256', key)).toThrow(/privateKey/);
  });
});
