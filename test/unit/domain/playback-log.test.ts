import canonicalize from 'canonicalize';
import * as fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { Format } from 'typebox/format';
import { beforeAll, describe, expect, it } from 'vitest';
import { canonicalLog, contentHashOf } from '../../../src/domain/canonical-json.ts';
import { DEFAULT_RULES } from '../../../src/domain/limits.ts';
import { decodeLog, type PlaybackLogMessage, PlaybackLogSchema } from '../../../src/domain/playback-log.ts';
import { parseTimestamp } from '../../../src/domain/timestamp.ts';
import { isUuid } from '../../../src/domain/uuid.ts';

const NIL = '00000000-0000-0000-0000-000000000000';
const SIGNATURE = Buffer.alloc(256, 7).toString('base64');

const uuid = fc.oneof(
  fc.uuid(),
  fc.uuid().map((id) => id.toUpperCase()),
);
const instant = fc
  .tuple(fc.integer({ min: 0, max: 4_000_000_000 }), fc.constantFrom('Z', '.5Z', '.123Z', '+07:00', '-00:00', '.25-11:30'))
  .map(([second, rest]) => new Date(second * 1000).toISOString().slice(0, 19) + rest);
const duration = fc.integer({ min: 0, max: 86_400_000 }).map((ms) => ms / 1000);
const digits = fc.stringMatching(/^[0-9A-Fa-f]{64}$/);
const keyId = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 64 }),
);

/** Logs that keep every rule. */
const soundLog: fc.Arbitrary<PlaybackLogMessage> = fc.record(
  {
    log_id: uuid,
    device_id: uuid,
    campaign_id: uuid,
    content_id: uuid,
    started_at: instant,
    ended_at: instant,
    duration_actual: fc.oneof(duration, fc.constant(-0)),
    duration_expected: duration.filter((seconds) => seconds > 0),
    status: fc.constantFrom('COMPLETED', 'PARTIAL', 'SKIPPED', 'ERROR'),
    signature: fc.uint8Array({ minLength: 1, maxLength: 520 }).map((bytes) => Buffer.from(bytes).toString('base64')),
    location: fc.option(
      fc.record(
        { lat: fc.double({ min: -90, max: 90, noNaN: true }), lng: fc.double({ min: -180, max: 180, noNaN: true }) },
        { noNullPrototype: true },
      ),
    ),
    screenshot_hash: fc.option(
      fc.oneof(
        digits,
        digits.map((text) => `sha256:${text}`),
      ),
    ),
    key_id: fc.option(keyId.filter((text) => Array.from(text).length <= 64)),
  },
  {
    requiredKeys: [
      'log_id',
      'device_id',
      'campaign_id',
      'content_id',
      'started_at',
      'ended_at',
      'duration_actual',
      'duration_expected',
      'status',
      'signature',
    ],
    noNullPrototype: true,
  },
);

const log: PlaybackLogMessage = {
  log_id: '0197A1C0-7b5e-7c3a-9d55-2f6b8a4e1d01',
  device_id: '2330fcf1-562a-44b8-8866-8d77e827062c',
  campaign_id: 'bafe9bd1-20c5-4152-9127-c47089bf36a2',
  content_id: '98da4bf0-7559-4f89-b3fb-95ee22432045',
  started_at: '2026-11-20T09:29:15Z',
  ended_at: '2026-11-20T16:29:30.250+07:00',
  duration_actual: 14.96,
  duration_expected: 15,
  status: 'COMPLETED',
  signature: SIGNATURE,
};

function decode(value: object, rules = DEFAULT_RULES) {
  const result = decodeLog(value, rules);
  if (!result.ok) throw new Error(result.detail);
  return result.log;
}

function fieldsOf(value: object, rules = DEFAULT_RULES): string[] {
  const result = decodeLog(value, rules);
  if (result.ok) throw new Error('the log was taken');
  expect(result.detail).toMatch(/\.$/);
  return result.fields;
}

describe('decodeLog', () => {
  it('reads a log into the units of the domain', () => {
    const decoded = decode({ ...log, key_id: 'k1', location: { lat: 1, lng: -0 }, screenshot_hash: `sha256:${'Ab'.repeat(32)}` });
    expect(decoded).toMatchObject({
      logId: '0197a1c0-7b5e-7c3a-9d55-2f6b8a4e1d01',
      deviceId: log.device_id,
      startedAt: Date.UTC(2026, 10, 20, 9, 29, 15),
      endedAt: Date.UTC(2026, 10, 20, 9, 29, 30, 250),
      durationActualMs: 14_960,
      durationExpectedMs: 15_000,
      reportedStatus: 'COMPLETED',
      location: { lat: 1, lng: -0 },
      screenshotHash: 'ab'.repeat(32),
      keyId: 'k1',
    });
    expect(decoded.signature.toString('base64')).toBe(SIGNATURE);
    expect(decoded.contentHash).toBe(contentHashOf(decoded.canonical));
  });

  it('takes optional members as absent or null, and keeps the difference in what was signed', () => {
    const absent = decode(log);
    const asNull = decode({ ...log, key_id: null, location: null, screenshot_hash: null });
    for (const decoded of [absent, asNull]) expect(decoded).toMatchObject({ keyId: null, location: null, screenshotHash: null });
    expect(absent.canonical.toString()).not.toContain('null');
    expect(asNull.contentHash).not.toBe(absent.contentHash);
  });

  it('names every field at fault, sorted', () => {
    const { content_id: _content, signature: _signature, ...rest } = log;
    expect(
      fieldsOf({
        ...rest,
        'a/b~': 1,
        status: 'completed',
        location: { lat: 91, alt: 1 },
        duration_expected: 0,
        ended_at: null,
        key_id: '',
      }),
    ).toEqual([
      '/a~1b~0',
      '/content_id',
      '/duration_expected',
      '/ended_at',
      '/key_id',
      '/location/alt',
      '/location/lat',
      '/location/lng',
      '/signature',
      '/status',
    ]);
    expect(fieldsOf({})).toHaveLength(10);
    expect(fieldsOf({ ...log, location: [1, 2] })).toEqual(['/location']);
    expect(fieldsOf({ ...log, toString: 1 })).toEqual(['/toString']);
  });

  it('tells the ids of a refused log where they can be read', () => {
    const refused = { ok: false, logId: log.log_id.toLowerCase(), deviceId: log.device_id };
    expect(decodeLog({ ...log, device_id: log.device_id.toUpperCase(), status: 1 }, DEFAULT_RULES)).toMatchObject(refused);
    expect(decodeLog({ ...log, log_id: 'x', device_id: 4 }, DEFAULT_RULES)).toMatchObject({ logId: null, deviceId: null });
  });

  it('refuses the nil UUID as log_id only', () => {
    expect(fieldsOf({ ...log, log_id: NIL })).toEqual(['/log_id']);
    expect(decode({ ...log, device_id: NIL, campaign_id: NIL, content_id: NIL }).contentId).toBe(NIL);
  });

  it('counts the characters of a key_id, not its UTF-16 units', () => {
    expect(decode({ ...log, key_id: '😀'.repeat(64) }).keyId).toHaveLength(128);
    expect(fieldsOf({ ...log, key_id: '😀'.repeat(65) })).toEqual(['/key_id']);
    expect(fieldsOf({ ...log, key_id: `${'😀'.repeat(63)}xx` })).toEqual(['/key_id']);
  });

  it('wants a screenshot where the settings do', () => {
    const rules = { ...DEFAULT_RULES, requireScreenshot: true };
    expect(fieldsOf(log, rules)).toEqual(['/screenshot_hash']);
    expect(fieldsOf({ ...log, screenshot_hash: null }, rules)).toEqual(['/screenshot_hash']);
    expect(decode({ ...log, screenshot_hash: '0'.repeat(64) }, rules).screenshotHash).toBe('0'.repeat(64));
  });

  it('keeps its sentence short however many members are unknown', () => {
    const strange = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`${'n'.repeat(500)}${i}`, 1]));
    const result = decodeLog({ ...log, ...strange }, DEFAULT_RULES);
    expect(result).toMatchObject({ ok: false, fields: { length: 500 } });
    expect(!result.ok && result.detail.length).toBeLessThan(1_000);
  });
});

describe('the schema and decodeLog', () => {
  beforeAll(() => {
    Format.Set('uuid', (text) => isUuid(text) || text === NIL);
    Format.Set('date-time', (text) => parseTimestamp(text) !== undefined);
  });

  it('take the same logs', () => {
    const schema = Compile(PlaybackLogSchema);
    const strange = fc.oneof(
      fc.constantFrom(
        null,
        true,
        '',
        0,
        -1,
        0.5,
        1.0001,
        86_400,
        86_400.001,
        1e9,
        [],
        {},
        NIL,
        SIGNATURE,
        'COMPLETED',
        'x'.repeat(64),
        'x'.repeat(65),
      ),
      fc.constantFrom(
        '😀'.repeat(64),
        '😀'.repeat(65),
        'sha256:',
        `SHA256:${'0'.repeat(64)}`,
        '0'.repeat(63),
        '2026-02-30T00:00:00Z',
        'AAA',
        'AA=A',
      ),
      fc.record(
        { lat: fc.constantFrom(0, 90, 90.1, '0', null), lng: fc.constantFrom(-180, 180.1, 1) },
        { requiredKeys: [], noNullPrototype: true },
      ),
      fc.constant({ lat: 1, lng: 1, alt: 1 }),
    );
    const names = [...Object.keys(PlaybackLogSchema.properties), 'price', 'toString'];
    const seen = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(soundLog, fc.option(fc.constantFrom(...names)), fc.option(strange, { nil: undefined }), (sound, name, value) => {
        const message: Record<string, unknown> = { ...sound };
        if (name !== null && value === undefined) delete message[name];
        else if (name !== null) message[name] = value;
        const { ok } = decodeLog(message, DEFAULT_RULES);
        seen[ok ? 'taken' : 'refused'] += 1;
        expect(ok).toBe(schema.Check(message));
        if (!ok) expect(fieldsOf(message).every((pointer) => pointer.startsWith(`/${name}`))).toBe(true);
      }),
      { numRuns: 3_000 },
    );
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(200);
  });

  it('decodeLog never throws on any object', () => {
    const member = fc.constantFrom(...Object.keys(PlaybackLogSchema.properties), 'x');
    fc.assert(
      fc.property(fc.dictionary(member, fc.jsonValue(), { noNullPrototype: true }), (value) => {
        expect(fieldsOf(value).length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('the canonical form', () => {
  it('is what the reference implementation of RFC 8785 writes', () => {
    fc.assert(
      fc.property(soundLog, (sound) => {
        const { signature: _signature, ...signed } = sound;
        expect(canonicalLog(sound)).toBe(canonicalize(signed));
      }),
      { numRuns: 3_000 },
    );
  });

  it('does not depend on the order or the spelling of what was sent', () => {
    fc.assert(
      fc.property(soundLog, fc.infiniteStream(fc.nat()), (sound, random) => {
        const shuffled = Object.entries(sound)
          .map((entry) => [random.next().value as number, entry] as const)
          .sort(([a], [b]) => a - b)
          .map(([, [name, value]]) => {
            const spelled = Array.from({ length: name.length }, (_, i) => `\\u${name.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
              '',
            );
            return ` "${spelled}" : ${JSON.stringify(value)}`;
          });
        expect(canonicalLog(JSON.parse(`{${shuffled.join(',')}}`) as PlaybackLogMessage)).toBe(canonicalLog(sound));
      }),
    );
  });

  it('is hashed as UTF-8', () => {
    const canonical = Buffer.from(canonicalLog({ ...log, key_id: 'é😀\u2028"\\\u0007' }));
    expect(canonical.toString()).toContain('"key_id":"é😀\u2028\\"\\\\\\u0007"');
    expect(contentHashOf(canonical)).toMatch(/^[0-9a-f]{64}$/);
  });
});
