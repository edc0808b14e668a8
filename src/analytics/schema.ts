/**
 * The tables of analytics, in ClickHouse's SQL. They are the same on chDB and on a server. Names are always qualified: chDB ignores
 * the client's `database` option.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import { PLAY_ROW_COLUMNS } from '../domain/play-row.ts';

export const PLAYS = 'playproof.plays';
export const POSITIONS = 'playproof.positions';
export const JOURNALS = 'playproof.journals';
/** Of earlier versions: one instant for all journals, which another box's backlog made untrue. */
const COMPLETENESS = 'playproof.completeness';
const MIGRATIONS_TABLE = 'playproof.migrations';

/** A loaded row: the play's own bytes, then where it stood in the feed. */
export const LOADED_COLUMNS: readonly (readonly [string, string])[] = [
  ...PLAY_ROW_COLUMNS,
  ['feed_partition', 'UInt32'],
  ['feed_offset', 'UInt64'],
];

/** The structure of a batch in the format RowBinary. */
export const LOADED_STRUCTURE = LOADED_COLUMNS.map(([name, type]) => `${name} ${type}`).join(', ');
export const LOADED_NAMES = LOADED_COLUMNS.map(([name]) => name).join(', ');

/** An acknowledged insert is on the disk: only then may the position behind it be written. */
const DURABLE = 'fsync_after_insert = 1, fsync_part_directory = 1';

/**
 * Numbered by their place, append-only, each statement harmless when it is repeated: a crash between a migration and its number
 * runs it again.
 *
 * `plays` is sorted by (ended_at, log_id). Two copies of a log have the same key, hence the same partition and place, so FINAL counts it
 * once wherever the copies lie and whether or not they were merged. Batches arrive nearly in the order of time, so parts overlap
 * only where plays came late, FINAL has little to compare, and the order is the one in which plays are listed.
 */
const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE IF NOT EXISTS ${PLAYS} (${LOADED_STRUCTURE})
     ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(ended_at) ORDER BY (ended_at, log_id)
     SETTINGS ${DURABLE}`,
    `CREATE TABLE IF NOT EXISTS ${POSITIONS} (feed_id String, feed_partition UInt32, next_offset UInt64)
     ENGINE = ReplacingMergeTree(next_offset) ORDER BY (feed_id, feed_partition)
     SETTINGS ${DURABLE}`,
  ],
  // Every log received before `instant` (milliseconds since 1970) is in. All rows have the same key, and the newest stands.
  [`CREATE TABLE IF NOT EXISTS ${COMPLETENESS} (instant UInt64) ENGINE = ReplacingMergeTree(instant) ORDER BY tuple() SETTINGS ${DURABLE}`],
  // Of each journal the same; the row with the latest instant stands. A retired journal has no row.
  [
    `CREATE TABLE IF NOT EXISTS ${JOURNALS} (journal_id String, instance String, instant UInt64)
     ENGINE = ReplacingMergeTree(instant) ORDER BY journal_id
     SETTINGS ${DURABLE}`,
    `DROP TABLE IF EXISTS ${COMPLETENESS}`,
  ],
];

/** @throws Error with a sentence when a newer Playproof wrote the tables. */
export async function migrate(client: ClickHouseClient): Promise<void> {
  await client.command({ query: 'CREATE DATABASE IF NOT EXISTS playproof' });
  await client.command({
    query: `CREATE TABLE IF NOT EXISTS ${MIGRATIONS_TABLE} (version UInt32) ENGINE = MergeTree ORDER BY version SETTINGS ${DURABLE}`,
  });
  const result = await client.query({ query: `SELECT max(version) AS version FROM ${MIGRATIONS_TABLE}`, format: 'JSONEachRow' });
  const version = (await result.json<{ version: number }>())[0]?.version ?? 0;
  if (version > MIGRATIONS.length) {
    throw new Error(
      `analytics was written by a newer Playproof (schema ${version}, this one knows ${MIGRATIONS.length}); use that version`,
    );
  }
  for (let next = version; next < MIGRATIONS.length; next += 1) {
    for (const statement of MIGRATIONS[next] ?? []) await client.command({ query: statement });
    await client.command({ query: `INSERT INTO ${MIGRATIONS_TABLE} SELECT ${next + 1} SETTINGS async_insert = 0` });
  }
}
