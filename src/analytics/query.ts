/** One bounded query on a connection of its own. */
import type { ClickHouseClient } from '@clickhouse/client';
import type { QueryParams } from '../query/analytics-port.ts';

export const MAX_QUERY_SECONDS = 10;
const MAX_QUERY_MEMORY_BYTES = 1024 ** 3;
const MAX_RESULT_BYTES = 128 * 1024 * 1024;

/** Inline, because chDB keeps `clickhouse_settings` on the connection. */
const LIMITS =
  `max_execution_time = ${MAX_QUERY_SECONDS}, timeout_overflow_mode = 'throw', max_memory_usage = ${MAX_QUERY_MEMORY_BYTES}, ` +
  `max_result_bytes = ${MAX_RESULT_BYTES}, result_overflow_mode = 'throw', output_format_json_quote_64bit_integers = 0`;

/**
 * The result as lines of JSON, one object a line. Opening a connection to chDB takes a millisecond, and one that is never used
 * twice can neither hand on the rows of a query that failed nor its settings.
 *
 * @param sql without SETTINGS and FORMAT
 * @throws an error whose `code` is ClickHouse's number, as text
 */
export async function queryLines(connect: () => ClickHouseClient, sql: string, params: QueryParams): Promise<string> {
  const client = connect();
  try {
    const result = await client.query({ query: `${sql} SETTINGS ${LIMITS}`, query_params: params, format: 'JSONEachRow' });
    return await result.text();
  } finally {
    await client.close();
  }
}
