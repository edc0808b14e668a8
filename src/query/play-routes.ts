/** Evidence of one play, the feed, and quarantine. */
import type { FastifyPluginAsync } from 'fastify';
import { Type } from 'typebox';
import { LOG_CODES } from '../domain/codes.ts';
import { completionOf, STATUSES } from '../domain/play.ts';
import { formatInstant } from '../domain/timestamp.ts';
import { scopeOf } from '../server/access.ts';
import { Problem } from '../server/problem.ts';
import { Cursor, Instant, Limit, limitOf, Nullable, Page, problemResponses, Uuid } from '../server/schemas.ts';
import type { FoundPlay, PlayArchive } from './archive-port.ts';
import type { FeedSignal } from './feed-signal.ts';

export interface PlayRoutesDeps {
  readonly archive: PlayArchive;
  readonly feedSignal: FeedSignal;
  /** The key as it was registered, SPKI PEM. */
  readonly publicKey: (deviceId: string, keyId: string) => Promise<string | null>;
}

const MAX_WAIT_SECONDS = 30;
const DEFAULT_FEED_LINES = 1_000;

const Point = Type.Object({ lat: Type.Number(), lng: Type.Number() });
const Status = Type.Enum([...STATUSES]);

const EvidenceSchema = Type.Object(
  {
    log: Type.Object({}, { additionalProperties: true, description: 'The log as it was signed, with its signature' }),
    canonical: Type.String({ description: 'Base64 of the signed bytes (RFC 8785, without `signature`)' }),
    signature: Type.String({ description: 'Base64' }),
    content_hash: Type.String({ description: 'SHA-256 of the signed bytes, hex' }),
    key: Type.Object({
      key_id: Type.String(),
      algorithm: Type.Enum(['RS256', 'PS256']),
      public_key: Type.String({ description: 'SPKI PEM' }),
      valid_from: Nullable(Instant),
      valid_until: Nullable(Instant),
    }),
    verdict: Type.Object({
      outcome: Type.Literal('accepted'),
      status: Status,
      reported_status: Status,
      billable: Type.Boolean(),
      completion: Type.Number({ minimum: 0, maximum: 1 }),
      distance_m: Nullable(Type.Number({ minimum: 0 })),
      content_known: Type.Boolean(),
      clock_checked: Type.Boolean(),
      rule_version: Type.Integer(),
      received_at: Instant,
    }),
    enrichment: Type.Object({
      store_id: Uuid,
      store_location: Point,
      region: Nullable(Type.String()),
      supplier_id: Uuid,
      advertiser_id: Uuid,
    }),
    positions: Type.Object({ journal: Type.String(), feed: Type.String() }),
  },
  { description: 'Everything that is needed to verify the play again, offline' },
);

const QuarantineItemSchema = Type.Object({
  quarantine_id: Type.Integer(),
  log_id: Nullable(Type.String()),
  device_id: Nullable(Type.String()),
  store_id: Nullable(Uuid),
  supplier_id: Nullable(Uuid),
  advertiser_id: Nullable(Uuid),
  code: Type.Enum([...LOG_CODES]),
  detail: Type.String(),
  retryable: Type.Boolean(),
  fields: Nullable(Type.Array(Type.String())),
  signature_proven: Type.Boolean(),
  received_at: Instant,
  last_received_at: Instant,
  count: Type.Integer({ minimum: 1 }),
  content_hash: Type.String(),
  body: Type.String({ description: 'Base64: the canonical form where the signature was proven, otherwise the bytes as sent' }),
  signature: Nullable(Type.String({ description: 'Base64' })),
});

const QuarantineGroupSchema = Type.Object({
  code: Type.Enum([...LOG_CODES]),
  device_id: Nullable(Type.String()),
  store_id: Nullable(Uuid),
  logs: Type.Integer({ minimum: 1, description: 'Different logs' }),
  refusals: Type.Integer({ minimum: 1, description: 'How often they were refused altogether' }),
  last_received_at: Instant,
  detail: Type.String({ description: 'What the newest one was told' }),
  retryable: Type.Boolean(),
  fields: Nullable(Type.Array(Type.String())),
});

export function playRoutes({ archive, feedSignal, publicKey }: PlayRoutesDeps): FastifyPluginAsync {
  return async (app) => {
    app.get<{ Params: { log_id: string } }>(
      '/api/v1/playback-logs/:log_id',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['plays'],
          summary: 'The evidence of one play',
          params: Type.Object({ log_id: Uuid }),
          response: {
            200: EvidenceSchema,
            ...problemResponses('invalid_parameter', 'unauthorized', 'not_found', 'not_settled', 'unavailable'),
          },
        },
      },
      async (request) => {
        const logId = request.params.log_id.toLowerCase();
        const found = await archive.play(logId, scopeOf(request.identity));
        if (found === 'unsettled')
          throw new Problem(
            'not_settled',
            'There are logs that are acknowledged and not settled yet, and this may be one; ask again in a moment.',
          );
        if (!found) throw new Problem('not_found', 'No play with this log_id is here for you.');
        const key = await publicKey(found.play.deviceId, found.play.keyId);
        if (key === null)
          throw new Problem('unavailable', 'The key of this play cannot be read right now; ask again later.', { retryAfter: 2 });
        return evidenceOf(found, key);
      },
    );

    app.get<{ Querystring: { after?: string; limit?: string; wait?: string } }>(
      '/api/v1/feed',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['plays'],
          summary: 'The feed: every settled play once, in order',
          querystring: Type.Object(
            {
              after: Type.Optional(Type.String({ description: 'The `position` of the last record read; without it, from the beginning' })),
              limit: Type.Optional(Limit),
              wait: Type.Optional(Type.String({ description: `Seconds to wait when nothing is new, 0 to ${MAX_WAIT_SECONDS}` })),
            },
            { additionalProperties: false },
          ),
          response: {
            200: {
              description: 'NDJSON, a feed record with its `position` on each line',
              content: { 'application/x-ndjson': { schema: Type.String() } },
            },
            ...problemResponses('invalid_parameter', 'unauthorized', 'unavailable', 'not_implemented'),
          },
        },
      },
      async (request, reply) => {
        const after = positionOf(request.query.after);
        const limit = limitOf(request.query.limit, DEFAULT_FEED_LINES);
        const until = performance.now() + waitOf(request.query.wait) * 1000;
        const scope = scopeOf(request.identity);
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        const stop = AbortSignal.any([gone.signal, app.closing]);
        let from = after;
        for (;;) {
          // Taken before reading: what is published in between is not slept through.
          const published = feedSignal.count;
          const page = await archive.feed(from, limit, scope);
          from = page.through;
          const left = until - performance.now();
          if (page.count > 0 || left <= 0 || stop.aborted)
            return reply.type('application/x-ndjson; charset=utf-8').send(Buffer.from(page.lines));
          await feedSignal.wait(published, left, stop);
        }
      },
    );

    app.get<{ Querystring: { code?: string; device_id?: string } }>(
      '/api/v1/quarantine/groups',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['plays'],
          summary: 'Refusals by reason and device, most first',
          description: 'Of the newest refusals that are kept; `whole` says whether these are all of them.',
          querystring: Type.Object({ code: Type.Optional(Type.Enum([...LOG_CODES])), device_id: Type.Optional(Uuid) }),
          response: {
            200: Type.Object({ groups: Type.Array(QuarantineGroupSchema), examined: Type.Integer({ minimum: 0 }), whole: Type.Boolean() }),
            ...problemResponses('invalid_parameter', 'unauthorized', 'unavailable'),
          },
        },
      },
      async (request) => {
        const { code, device_id: deviceId } = request.query;
        return archive.quarantineGroups({
          scope: scopeOf(request.identity),
          code: code ?? null,
          deviceId: deviceId?.toLowerCase() ?? null,
        });
      },
    );

    app.get<{ Querystring: { code?: string; device_id?: string; limit?: string; cursor?: string } }>(
      '/api/v1/quarantine',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['plays'],
          summary: 'Refused logs with their reasons, newest first',
          querystring: Type.Object(
            {
              code: Type.Optional(Type.Enum([...LOG_CODES])),
              device_id: Type.Optional(Uuid),
              limit: Type.Optional(Limit),
              cursor: Type.Optional(Cursor),
            },
            { additionalProperties: false },
          ),
          response: { 200: Page(QuarantineItemSchema), ...problemResponses('invalid_parameter', 'unauthorized', 'unavailable') },
        },
      },
      async (request) => {
        const { code, device_id: deviceId, cursor } = request.query;
        const limit = limitOf(request.query.limit);
        const items = await archive.quarantine({
          scope: scopeOf(request.identity),
          code: code ?? null,
          deviceId: deviceId?.toLowerCase() ?? null,
          limit: limit + 1,
          before: cursor === undefined ? null : beforeOf(cursor),
        });
        const page = items.slice(0, limit);
        const last = page.at(-1);
        return {
          items: page,
          next_cursor: items.length > limit && last ? cursorOf(last.quarantine_id) : null,
        };
      },
    );
  };
}

export function evidenceOf({ play, positions }: FoundPlay, publicKey: string) {
  const canonical = Buffer.from(play.canonical);
  const signature = Buffer.from(play.signature).toString('base64');
  return {
    log: { ...(JSON.parse(canonical.toString('utf8')) as Record<string, unknown>), signature },
    canonical: canonical.toString('base64'),
    signature,
    content_hash: play.contentHash,
    key: {
      key_id: play.keyId,
      algorithm: play.keyAlgorithm,
      public_key: publicKey,
      valid_from: play.keyValidFrom === null ? null : formatInstant(play.keyValidFrom),
      valid_until: play.keyValidUntil === null ? null : formatInstant(play.keyValidUntil),
    },
    verdict: {
      outcome: 'accepted',
      status: play.status,
      reported_status: play.reportedStatus,
      billable: play.billable,
      completion: completionOf(play.durationActualMs, play.durationExpectedMs),
      distance_m: play.distanceM,
      content_known: play.contentKnown,
      clock_checked: play.clockChecked,
      rule_version: play.ruleVersion,
      received_at: formatInstant(play.receivedAt),
    },
    enrichment: {
      store_id: play.storeId,
      store_location: play.storeLocation,
      region: play.region,
      supplier_id: play.supplierId,
      advertiser_id: play.advertiserId,
    },
    positions,
  };
}

function positionOf(text: string | undefined): number {
  if (text === undefined) return 0;
  const position = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(position))
    throw new Problem('invalid_parameter', 'The parameter "after" must be the `position` of a feed record.');
  return position;
}

function waitOf(text: string | undefined): number {
  if (text === undefined) return 0;
  const seconds = /^\d{1,2}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= MAX_WAIT_SECONDS))
    throw new Problem('invalid_parameter', `The parameter "wait" must be 0 to ${MAX_WAIT_SECONDS} seconds.`);
  return seconds;
}

function beforeOf(cursor: string): number {
  const number = /^q(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))?.[1];
  // Node reads base64 with junk in it; a cursor is taken only as it was given.
  if (number === undefined || cursorOf(Number(number)) !== cursor) {
    throw new Problem('invalid_parameter', 'The parameter "cursor" must be the `next_cursor` of the page before.');
  }
  return Number(number);
}

function cursorOf(quarantineId: number): string {
  return Buffer.from(`q${quarantineId}`).toString('base64url');
}
