import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyPluginAsync } from 'fastify';
import { type Static, Type } from 'typebox';
import { formatInstant } from '../domain/timestamp.ts';
import { scopeOf } from '../server/access.ts';
import { problemResponses } from '../server/schemas.ts';
import { csvLine } from './csv.ts';
import { PlayFilterSchema, parsePlayFilter } from './play-filter.ts';
import { makeReport, type ReportAnswer, type ReportDeps } from './report.ts';
import { columnsOf, MEASURE_NAMES } from './report-row.ts';
import { DIMENSIONS, type Dimension, parseBy } from './report-sql.ts';
import { parseTimeZone } from './zone-steps.ts';

/** Rows that are written before the thread looks at other requests again. */
const ROWS_AT_ONCE = 500;

const ReportQuery = Type.Object({
  by: Type.Optional(
    Type.String({
      maxLength: 200,
      description: `Any of ${DIMENSIONS.join(', ')}, with commas between them; without it one total row`,
      examples: ['campaign_id,day'],
    }),
  ),
  ...PlayFilterSchema,
  time_zone: Type.Optional(
    Type.String({ maxLength: 64, description: 'IANA zone in which days and hours are meant (UTC)', examples: ['Asia/Ho_Chi_Minh'] }),
  ),
  format: Type.Optional(Type.Enum(['json', 'csv'])),
});

const DIMENSION_TEXT: Readonly<Partial<Record<Dimension, string>>> = {
  day: 'YYYY-MM-DD in the time zone asked for',
  hour: 'Start of the hour: local time with its offset, so that the two 02:00 of an autumn night stay apart; where that is UTC, with milliseconds and Z',
  region: 'Null for stores without a region',
};

const MEASURE_TEXT: Readonly<Record<(typeof MEASURE_NAMES)[number], string>> = {
  plays: 'Accepted plays',
  billable: 'Of them billable',
  completed: 'Recorded COMPLETED',
  partial: 'Recorded PARTIAL',
  skipped: 'Recorded SKIPPED',
  error: 'Recorded ERROR',
  billable_seconds: 'Sum of duration_actual of the billable plays, as the devices measured it, in seconds',
  devices: 'Different devices',
  stores: 'Different stores',
};

function rowSchema() {
  const dimensions = DIMENSIONS.map((name) => {
    const about = DIMENSION_TEXT[name];
    return [name, Type.Optional(Type.Union([Type.String(), Type.Null()], about === undefined ? {} : { description: about }))] as const;
  });
  const measures = MEASURE_NAMES.map((name) => [name, Type.Number({ description: MEASURE_TEXT[name] })] as const);
  return Type.Object(Object.fromEntries([...dimensions, ...measures]));
}

const ReportSchema = Type.Object({
  rows: Type.Array(rowSchema(), { description: 'Sorted by the dimensions of `by`, in their order' }),
  complete_until: Type.String({ format: 'date-time', description: 'Every log received before this instant is in' }),
  reason: Type.Optional(Type.String({ description: 'Why the report is empty, or why `complete_until` lies back' })),
});

/** `GET /api/v1/reports/plays` */
export function reportRoutes(deps: ReportDeps): FastifyPluginAsync {
  return (app) => {
    app.get<{ Querystring: Static<typeof ReportQuery> }>(
      '/api/v1/reports/plays',
      {
        config: { access: 'reader' },
        schema: {
          summary: 'Proof of play',
          tags: ['reports'],
          querystring: ReportQuery,
          response: {
            200: {
              description: 'The report',
              content: { 'application/json': { schema: ReportSchema }, 'text/csv': { schema: Type.String() } },
            },
            ...problemResponses('invalid_parameter', 'unauthorized', 'unavailable'),
          },
        },
      },
      async (request, reply) => {
        const { query } = request;
        const by = parseBy(query.by);
        const timeZone = parseTimeZone(query.time_zone ?? 'UTC');
        const report = { by, filter: parsePlayFilter(query), scope: scopeOf(request.identity) };
        const answer = await makeReport(deps, report, timeZone);
        if (query.format !== 'csv') return reply.type('application/json; charset=utf-8').send(Readable.from(jsonOf(answer)));
        reply
          .header('Content-Disposition', 'attachment; filename="plays.csv"')
          .header('Complete-Until', formatInstant(answer.completeUntil));
        if (answer.reason !== null) reply.header('Report-Reason', answer.reason);
        return reply.type('text/csv; charset=utf-8; header=present').send(Readable.from(csvOf(by, answer)));
      },
    );
    return Promise.resolve();
  };
}

/** Written in pieces: a report of 100 000 rows at once would stop the thread for a third of a second. */
async function* jsonOf({ rows, completeUntil, reason }: ReportAnswer): AsyncGenerator<string> {
  let text = '{"rows":[';
  for (const [at, row] of rows.entries()) {
    text += at === 0 ? JSON.stringify(row) : `,${JSON.stringify(row)}`;
    if (at % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) {
      yield text;
      text = '';
      await nextTurn();
    }
  }
  const tail = { complete_until: formatInstant(completeUntil), ...(reason !== null && { reason }) };
  yield `${text}],${JSON.stringify(tail).slice(1)}`;
}

async function* csvOf(by: readonly Dimension[], { rows }: ReportAnswer): AsyncGenerator<string> {
  const columns = columnsOf(by);
  let text = csvLine(columns);
  for (const [at, row] of rows.entries()) {
    text += csvLine(columns.map((column) => row[column] ?? null));
    if (at % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) {
      yield text;
      text = '';
      await nextTurn();
    }
  }
  yield text;
}
