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
 * Errors of reading a part. https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp: CANNOT_READ_ALL_DATA,
 * CHECKSUM_DOESNT_MATCH, FILE_DOESNT_EXIST, NO_FILE_IN_DATA_PART, BAD_SIZE_OF_FILE_IN_DATA_PART, CORRUPTED_DATA, CANNOT_DECOMPRESS.
 */
const CODES: ReadonlySet<unknown> = new Set(['33', '40', '107', '226', '228', '246', '271']);

export class AnalyticsDamaged extends Error {
  override readonly name = 'AnalyticsDamaged';
}

/** Whether an error of a query, with ClickHouse's number as its code, says that a part cannot be read. */
export function isDamage(error: unknown): boolean {
  return CODES.has((error as { readonly code?: unknown }).code);
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
