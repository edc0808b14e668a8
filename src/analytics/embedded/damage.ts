/**
 * What chDB has on disk can be damaged: a merge during a full disk was seen to leave a part whose files are all empty. Queries then fail for
 * ever, and after a restart the engine sets such a part aside and its plays are missing without a word. Everything here is loaded from the
 * feed, so what is damaged is removed and loaded again.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ClickHouseClient } from '@clickhouse/client';

/** Says that the tables beside it are to be removed at the next start. */
const MARK = 'damaged';

/**
 * What a query fails with, wherever it stands, that met its bounds (TIMEOUT_EXCEEDED, TOO_SLOW, MEMORY_LIMIT_EXCEEDED, TOO_MANY_ROWS_OR_BYTES,
 * QUERY_WAS_CANCELLED) or those of the machine (CANNOT_OPEN_FILE, CANNOT_ALLOCATE_MEMORY, NOT_ENOUGH_SPACE): numbers of
 * https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp.
 */
const BOUNDS: ReadonlySet<unknown> = new Set(['159', '160', '241', '396', '394', '76', '173', '243']);
/** ClickHouse says this of whatever fails while it reads a part; noise there can be any of many errors. */
const IN_A_PART = /while reading from part/i;

export class AnalyticsDamaged extends Error {
  override readonly name = 'AnalyticsDamaged';
}

/** Whether an error of a query, with ClickHouse's number as its code, says that a part cannot be read. */
export function isDamage(error: unknown): boolean {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return IN_A_PART.test(String(message)) && !BOUNDS.has(code);
}

/** What is in the directory is not to be trusted any more: the next start removes it. */
export function markDamaged(directory: string): void {
  writeFileSync(path.join(directory, MARK), '');
}

/** Before the engine is opened. @returns whether something was removed, so that everything is loaded again */
export function removeDamaged(directory: string): boolean {
  mkdirSync(directory, { recursive: true });
  const mark = path.join(directory, MARK);
  if (!existsSync(mark)) return false;
  rmSync(path.join(directory, 'chdb'), { recursive: true, force: true });
  // Last: a crash in between removes again.
  rmSync(mark);
  return true;
}

/** @throws AnalyticsDamaged when the engine found parts at its start that it could not read, and went on without them. */
export async function assertWhole(client: ClickHouseClient): Promise<void> {
  const result = await client.query({
    query: "SELECT name FROM system.detached_parts WHERE database = 'playproof' AND startsWith(name, 'broken')",
    format: 'JSONEachRow',
  });
  const parts = await result.json<{ name: string }>();
  if (parts.length > 0) throw new AnalyticsDamaged(`${parts.length} parts of analytics cannot be read (${parts[0]?.name ?? ''})`);
}
