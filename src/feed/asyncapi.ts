/**
 * The AsyncAPI 3.0 document of the feed, as `docs/feed.asyncapi.json` holds it. The record is closed: a field that comes later is a new
 * version of the schema, told by `ce_type`.
 */
import { STATUSES } from '../domain/play.ts';
import { CE_SOURCE, CE_TYPE, POSITION_HEADER } from './envelope.ts';

const uuid = (description: string) => ({ type: 'string', format: 'uuid', pattern: '^[0-9a-f-]{36}$', description });
const instant = (description: string) => ({
  type: 'string',
  format: 'date-time',
  pattern: 'Z$',
  description: `${description}; UTC, milliseconds`,
});
const seconds = (description: string, minimum: { minimum: number } | { exclusiveMinimum: number }) => ({
  type: 'number',
  ...minimum,
  maximum: 86_400,
  description: `${description}; seconds, at most three decimals`,
});
const orNull = (schema: { readonly type: string }) => ({ ...schema, type: [schema.type, 'null'] });

const RECORD = {
  log_id: uuid('Made by the device; the identity of the play, once in the feed for ever'),
  device_id: uuid('The screen; also the key of the message'),
  campaign_id: uuid('What was shown for whom'),
  content_id: uuid('What was shown'),
  started_at: instant('When the showing began, as the device says'),
  ended_at: instant('When it ended'),
  duration_actual: seconds('How long it was shown', { minimum: 0 }),
  duration_expected: seconds('How long it should have been shown', { exclusiveMinimum: 0 }),
  location: {
    type: ['object', 'null'],
    additionalProperties: false,
    required: ['lat', 'lng'],
    properties: { lat: { type: 'number', minimum: -90, maximum: 90 }, lng: { type: 'number', minimum: -180, maximum: 180 } },
    description: 'Where the device says that it was, as signed',
  },
  screenshot_hash: { type: ['string', 'null'], pattern: '^(sha256:)?[0-9A-Fa-f]{64}$', description: 'As signed' },
  status: { type: 'string', enum: [...STATUSES], description: 'What counts, after classification' },
  reported_status: { type: 'string', enum: [...STATUSES], description: 'What the device claimed' },
  billable: { type: 'boolean', description: 'Bill this play, and no other' },
  completion: { type: 'number', minimum: 0, maximum: 1, description: 'Part of the content that was shown' },
  store_id: uuid('The store that the screen stood in at ended_at'),
  region: orNull({ type: 'string' }),
  supplier_id: uuid('Who owns store and screen, and is paid'),
  advertiser_id: uuid('Who created the campaign, and pays'),
  received_at: instant('When the log arrived'),
  distance_m: { type: ['number', 'null'], minimum: 0, description: 'Metres between location and store; null without location' },
  content_known: { type: 'boolean', description: 'The catalogue knows the content, and its duration is the expected one' },
  clock_checked: { type: 'boolean', description: 'The clock of the device was checked when it sent this' },
  rule_version: { type: 'integer', minimum: 0, maximum: 65_535 },
  content_hash: { type: 'string', pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the canonical form that was signed' },
  key_id: { type: 'string', minLength: 1, maxLength: 64, description: 'Which key of the device signed' },
  signature: { type: 'string', contentEncoding: 'base64', description: 'RSA over the canonical form' },
};

const HEADERS = {
  ce_specversion: { const: '1.0' },
  ce_id: uuid('The log_id'),
  ce_source: { const: CE_SOURCE },
  ce_type: { const: CE_TYPE },
  ce_time: instant('The received_at'),
  'content-type': { const: 'application/json' },
  [POSITION_HEADER]: {
    type: 'string',
    pattern: '^[^/]+/\\d+/\\d+$',
    description: '<journal_id>/<partition>/<offset>: the journal record that this play came from',
  },
};

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';

/** JSON Schema of the record; every field is always there. */
export const FEED_RECORD_SCHEMA = {
  $schema: DRAFT,
  type: 'object',
  additionalProperties: false,
  required: Object.keys(RECORD),
  properties: RECORD,
};

/** JSON Schema of the headers of a message on Kafka. */
export const FEED_HEADERS_SCHEMA = { $schema: DRAFT, type: 'object', required: Object.keys(HEADERS), properties: HEADERS };

export function feedDocument(version: string) {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Playproof feed',
      version,
      license: { name: 'Apache-2.0' },
      description:
        'Every proven play, exactly once, as a consumer with isolation.level=read_committed sees it. One device stays on one partition, ' +
        'in the order in which its logs were taken, which is neither the order of playing nor of sending.',
    },
    servers: { kafka: { host: 'localhost:9092', protocol: 'kafka' } },
    channels: {
      plays: {
        address: 'playback-logs',
        messages: { play: { $ref: '#/components/messages/play' } },
        bindings: { kafka: { topicConfiguration: { 'cleanup.policy': ['delete'], 'retention.ms': -1 } } },
      },
    },
    operations: {
      bill: {
        action: 'receive',
        channel: { $ref: '#/channels/plays' },
        bindings: { kafka: { groupId: { type: 'string', const: 'billing-engine' } } },
      },
    },
    components: {
      messages: {
        play: {
          name: 'play',
          contentType: 'application/json',
          headers: FEED_HEADERS_SCHEMA,
          payload: FEED_RECORD_SCHEMA,
          bindings: { kafka: { key: uuid('The device_id: decides the partition') } },
        },
      },
    },
  };
}
