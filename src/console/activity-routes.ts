import type { FastifyPluginAsync } from 'fastify';
import { Type } from 'typebox';
import { formatInstant } from '../domain/timestamp.ts';
import { scopeOf } from '../server/access.ts';
import { Problem } from '../server/problem.ts';
import { Cursor, Instant, Limit, limitOf, Nullable, problemResponses, Uuid } from '../server/schemas.ts';
import { type DeviceActivities, type DeviceActivity, type DeviceState, fits, STATES } from './device-activity.ts';
import { wordsOf } from './directory.ts';

const StateSchema = Type.Enum([...STATES], {
  description: 'heard: within five minutes; quiet: within a day; silent: active and not within a day; inactive: switched off',
});
const Count = Type.Integer({ minimum: 0 });

const ActivitySchema = Type.Object({
  device_id: Uuid,
  store_id: Nullable(Uuid),
  store_name: Nullable(Type.String()),
  registered: Type.Boolean(),
  state: StateSchema,
  last_received_at: Nullable(Instant),
  last_ended_at: Nullable(Instant),
  plays: Type.Integer({ minimum: 0, description: 'Accepted plays that ended in the last 24 hours' }),
  billable: Count,
  clock_offset_seconds: Nullable(Type.Number({ description: "How far the device's clock was ahead when it last told its send time" })),
  clock_seen_at: Nullable(Instant),
});

const ActivityAnswer = Type.Object({
  items: Type.Array(ActivitySchema, { description: 'Last heard first; those that were not heard at the end' }),
  next_cursor: Nullable(Type.String()),
  total: Type.Integer({ description: 'How many fit' }),
  summary: Type.Object(
    { heard: Count, quiet: Count, silent: Count, inactive: Count },
    { description: 'Of all devices that the token may see' },
  ),
});

/** `GET /api/v1/device-activity` */
export function activityRoutes(activities: DeviceActivities): FastifyPluginAsync {
  return async (app) => {
    app.get<{ Querystring: { device_id?: string; state?: DeviceState; q?: string; limit?: string; cursor?: string } }>(
      '/api/v1/device-activity',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['reports'],
          summary: 'When each device was last heard, and what it played in the last 24 hours',
          querystring: Type.Object({
            device_id: Type.Optional(Uuid),
            state: Type.Optional(StateSchema),
            q: Type.Optional(Type.String({ maxLength: 200, description: 'Words of the store or the id' })),
            limit: Type.Optional(Limit),
            cursor: Type.Optional(Cursor),
          }),
          response: { 200: ActivityAnswer, ...problemResponses('invalid_parameter', 'unauthorized', 'unavailable') },
        },
      },
      async (request) => {
        const { device_id: deviceId, state, q = '', cursor } = request.query;
        const limit = limitOf(request.query.limit);
        const start = cursor === undefined ? 0 : startOf(cursor);
        const all = await activities.list(scopeOf(request.identity));
        const words = wordsOf(q);
        const found = all.filter(
          (one) =>
            (deviceId === undefined || one.device_id === deviceId.toLowerCase()) &&
            (state === undefined || one.state === state) &&
            fits(one, words),
        );
        const end = start + limit;
        return {
          items: found.slice(start, end).map(shown),
          next_cursor: end < found.length ? Buffer.from(`d${end}`).toString('base64url') : null,
          total: found.length,
          summary: Object.fromEntries(STATES.map((name) => [name, all.filter((one) => one.state === name).length])),
        };
      },
    );
  };
}

function shown({ lastReceived, lastEnded, clock, ...rest }: DeviceActivity) {
  return {
    ...rest,
    last_received_at: lastReceived === null ? null : formatInstant(lastReceived),
    last_ended_at: lastEnded === null ? null : formatInstant(lastEnded),
    clock_offset_seconds: clock === null ? null : clock.offsetMs / 1000,
    clock_seen_at: clock === null ? null : formatInstant(clock.seenAt),
  };
}

function startOf(cursor: string): number {
  const start = /^d(\d{1,9})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))?.[1];
  if (start === undefined || Buffer.from(`d${start}`).toString('base64url') !== cursor)
    throw new Problem('invalid_parameter', 'The parameter "cursor" must be a next_cursor of this list, as it was answered.');
  return Number(start);
}
