/**
 * The playback log as a JSON Schema, for `/openapi.json` and for whoever writes a device. Logs are not read by it: `decodeLog` reads and
 * checks in one go, exactly where a schema cannot be (three decimals, dates that exist). A test holds the two together.
 */
import { type Static, Type } from 'typebox';
import { MAX_DURATION_MS } from './limits.ts';
import { STATUSES } from './play.ts';

const MAX_SECONDS = MAX_DURATION_MS / 1000;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

const seconds = { maximum: MAX_SECONDS, multipleOf: 0.001 };

const LocationSchema = Type.Unsafe<{ readonly lat: number; readonly lng: number } | null>({
  type: ['object', 'null'],
  title: 'Where the screen says it is',
  description: 'Within 5 km of its store; coordinates in degrees, WGS 84',
  properties: {
    lat: { type: 'number', minimum: -90, maximum: 90 },
    lng: { type: 'number', minimum: -180, maximum: 180 },
  },
  required: ['lat', 'lng'],
  additionalProperties: false,
  examples: [{ lat: 10.7725, lng: 106.698 }],
});

export const PlaybackLogSchema = Type.Object(
  {
    log_id: Type.String({
      format: 'uuid',
      not: { const: NIL_UUID },
      title: 'Identity of this log',
      description: 'Made and stored by the device before the first send; UUIDv7 is best, the nil UUID is not taken',
      examples: ['0197a1c0-7b5e-7c3a-9d55-2f6b8a4e1d01'],
    }),
    device_id: Type.String({ format: 'uuid', title: 'The screen', description: 'A registered device' }),
    campaign_id: Type.String({ format: 'uuid', title: 'The campaign', description: 'A registered campaign' }),
    content_id: Type.String({
      format: 'uuid',
      title: 'What was shown',
      description: 'Where the catalogue has it, duration_expected must equal its duration',
    }),
    started_at: Type.String({
      format: 'date-time',
      title: 'Start of the play',
      description: 'RFC 3339 with an offset, at most three fraction digits, upper-case T and Z; not after ended_at',
      examples: ['2026-11-20T16:29:15.250+07:00'],
    }),
    ended_at: Type.String({
      format: 'date-time',
      title: 'End of the play',
      description: 'As started_at; at most 10 minutes ahead of receipt and 24 hours before it',
      examples: ['2026-11-20T16:29:30.250+07:00'],
    }),
    duration_actual: Type.Number({
      minimum: 0,
      ...seconds,
      title: 'Seconds shown',
      description: 'At most three decimals; at most one second more than from started_at to ended_at',
      examples: [14.96],
    }),
    duration_expected: Type.Number({
      exclusiveMinimum: 0,
      ...seconds,
      title: 'Seconds of the content',
      description: 'At most three decimals',
      examples: [15],
    }),
    status: Type.Unsafe<(typeof STATUSES)[number]>({
      type: 'string',
      enum: [...STATUSES],
      title: "The device's claim",
      description: 'COMPLETED below the threshold of completion is recorded as PARTIAL; only COMPLETED is billable',
    }),
    location: Type.Optional(LocationSchema),
    screenshot_hash: Type.Optional(
      Type.Unsafe<string | null>({
        type: ['string', 'null'],
        pattern: '^(sha256:)?[0-9A-Fa-f]{64}$',
        title: 'SHA-256 of a screenshot',
        description: '64 hex digits, with or without the prefix sha256:',
      }),
    ),
    key_id: Type.Optional(
      Type.Unsafe<string | null>({
        type: ['string', 'null'],
        minLength: 1,
        maxLength: 64,
        title: 'Which key of the device signed',
        description: 'Without it every key that was valid at ended_at is tried',
      }),
    ),
    signature: Type.String({
      minLength: 4,
      // The last characters before the padding leave its bits zero.
      pattern: '^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?$',
      contentEncoding: 'base64',
      title: 'RSA signature',
      description: 'Standard base64 with padding and zero pad bits; over the RFC 8785 form of the log without this member',
    }),
  },
  {
    additionalProperties: false,
    title: 'PlaybackLog',
    description: 'The signed claim of a device that it showed one content once. At most 16 KiB as sent; optional members may be null.',
  },
);

/** A playback log as it is sent, once it is known to be one. */
export type PlaybackLogMessage = Static<typeof PlaybackLogSchema>;
