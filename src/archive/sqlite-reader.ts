/** Evidence, feed and quarantine from `playproof.db`, on a connection that can only read. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { CODES } from '../domain/codes.ts';
import type { Play } from '../domain/play.ts';
import type { Refusal } from '../domain/refusal.ts';
import { formatInstant } from '../domain/timestamp.ts';
import { writeUuid } from '../domain/uuid.ts';
import { feedRecord } from '../feed/feed-record.ts';
import { CorruptRecord, readPlayRecord, readRefusalRecord } from '../journal/record.ts';
import { openForReading } from '../journal/sqlite-schema.ts';
import {
  DamagedRecord,
  type FeedPage,
  type FoundPlay,
  type PlayArchive,
  type QuarantineGroup,
  type QuarantineGroups,
  type QuarantineGroupsQuery,
  type QuarantineItem,
  type QuarantineQuery,
} from '../query/archive-port.ts';
import type { Scope } from '../server/access.ts';
import { quarantineItem, within } from './shown.ts';

/** Rows read in one turn; other calls get theirs in between. */
const CHUNK_ROWS = 500;
/** Refusals that are grouped, and groups that are told: what a person can look through, in some 50 ms. */
const GROUPED_ROWS = 20_000;
const MAX_GROUPS = 500;
/** Places of quarantine that are looked at in one turn. */
const QUARANTINE_CHUNK = 5_000;
/** Records behind the read position that are searched for one log. */
const TAIL_ROWS = 50_000;

interface JournalRow {
  readonly seq: number;
  readonly record: Uint8Array;
}

export class SqliteReader implements PlayArchive {
  readonly #db: DatabaseSync;
  readonly #position: StatementSync;
  readonly #owned: StatementSync;
  readonly #unsettled: StatementSync;
  readonly #feed: StatementSync;
  readonly #quarantine: StatementSync;
  readonly #newest: StatementSync;
  readonly #groups: StatementSync;
  readonly #examined: StatementSync;

  constructor(file: string) {
    this.#db = openForReading(file);
    this.#position = this.#db.prepare(
      "SELECT journal_id, seq, (SELECT seq FROM positions WHERE name = 'end') AS end FROM positions WHERE name = 'settle'",
    );
    this.#owned = this.#db.prepare(
      'SELECT journal.seq, journal.record FROM owners JOIN journal ON journal.seq = owners.seq WHERE owners.log_id = ?',
    );
    this.#unsettled = this.#db.prepare('SELECT seq, record FROM journal WHERE seq > ? AND seq <= ? AND kind = 1 AND log_id = ? LIMIT 1');
    this.#feed = this.#db.prepare(
      `SELECT seq, record FROM journal WHERE kind = 1 AND seq > ? AND seq <= (SELECT seq FROM positions WHERE name = 'settle') ORDER BY seq LIMIT ?`,
    );
    this.#quarantine = this.#db.prepare(
      `SELECT id, count, last_received, record FROM quarantine
       WHERE id < :before AND id >= :from AND (:code IS NULL OR code = :code) AND (:device IS NULL OR device_id = :device)
         AND (:supplier IS NULL OR supplier_id = :supplier) AND (:advertiser IS NULL OR advertiser_id = :advertiser)
       ORDER BY id DESC LIMIT :limit`,
    );
    this.#newest = this.#db.prepare('SELECT max(id) AS newest FROM quarantine');
    const newest = `SELECT id, code, device_id, count, last_received FROM quarantine
      WHERE (:supplier IS NULL OR supplier_id = :supplier) AND (:advertiser IS NULL OR advertiser_id = :advertiser)
      ORDER BY id DESC LIMIT ${GROUPED_ROWS}`;
    this.#groups = this.#db.prepare(
      `SELECT g.code, g.device_id, g.logs, g.refusals, g.last_received, quarantine.record
       FROM (SELECT code, device_id, count(*) AS logs, sum(count) AS refusals, max(last_received) AS last_received, max(id) AS newest
             FROM (${newest}) WHERE (:code IS NULL OR code = :code) AND (:device IS NULL OR device_id = :device)
             GROUP BY code, device_id) AS g
       JOIN quarantine ON quarantine.id = g.newest ORDER BY g.refusals DESC, g.code, g.device_id LIMIT ${MAX_GROUPS}`,
    );
    this.#examined = this.#db.prepare(`SELECT count(*) AS n FROM (${newest})`);
  }

  async play(logId: string, scope: Scope): Promise<FoundPlay | 'unsettled' | null> {
    const id = new Uint8Array(16);
    writeUuid(id, 0, logId);
    const position = this.#position.get() as { journal_id: string; seq: number; end: number };
    const row = this.#owned.get(id) as unknown as JournalRow | undefined;
    if (row) {
      const play = playOf(row);
      if (!within(play, scope)) return null;
      return { play, positions: { journal: `${position.journal_id}/0/${row.seq}`, feed: String(row.seq) } };
    }
    // The tail behind the read position is short: settling follows within milliseconds.
    const searched = position.seq + TAIL_ROWS;
    const waiting = this.#unsettled.get(position.seq, searched, id) as unknown as JournalRow | undefined;
    if (waiting) return within(playOf(waiting), scope) ? 'unsettled' : null;
    // Where settling is far behind, nobody can say quickly that there is no such log: asking again later can help.
    return position.end > searched ? 'unsettled' : null;
  }

  async feed(after: number, limit: number, scope: Scope): Promise<FeedPage> {
    const lines: string[] = [];
    let from = after;
    // Within a scope many rows may have to be read for one that counts.
    const all = scope.supplierId === null && scope.advertiserId === null;
    const chunk = all ? Math.min(CHUNK_ROWS, limit) : CHUNK_ROWS;
    for (;;) {
      const rows = this.#feed.all(from, chunk) as unknown as JournalRow[];
      for (const row of rows) {
        const play = playOf(row);
        from = row.seq;
        if (!within(play, scope)) continue;
        lines.push(JSON.stringify({ ...feedRecord(play), position: String(row.seq) }));
        if (lines.length === limit) break;
      }
      if (lines.length === limit || rows.length < chunk) break;
      await turn();
    }
    return { lines: Buffer.from(lines.length === 0 ? '' : `${lines.join('\n')}\n`), count: lines.length, through: from };
  }

  async quarantine({ scope, code, deviceId, limit, before }: QuarantineQuery): Promise<readonly QuarantineItem[]> {
    const filter = { code, device: deviceId, supplier: scope.supplierId, advertiser: scope.advertiserId };
    const { newest } = this.#newest.get() as { newest: number | null };
    const items: QuarantineItem[] = [];
    let end = Math.min(before ?? Number.MAX_SAFE_INTEGER, (newest ?? 0) + 1);
    // In pieces: a filter may look through much before it finds anything.
    while (end > 1 && items.length < limit) {
      const from = Math.max(1, end - QUARANTINE_CHUNK);
      const rows = this.#quarantine.all({ ...filter, before: end, from, limit: limit - items.length }) as unknown as QuarantineRow[];
      for (const row of rows) {
        const refusal = refusalOf(row.id, row.record);
        items.push(quarantineItem({ id: row.id, count: row.count, lastReceived: row.last_received, refusal }));
      }
      end = from;
      await turn();
    }
    return items;
  }

  async quarantineGroups({ scope, code, deviceId }: QuarantineGroupsQuery): Promise<QuarantineGroups> {
    const scoped = { supplier: scope.supplierId, advertiser: scope.advertiserId };
    const rows = this.#groups.all({ ...scoped, code, device: deviceId }) as unknown as GroupRow[];
    const { n: examined } = this.#examined.get(scoped) as { n: number };
    return { groups: rows.map(groupOf), examined, whole: examined < GROUPED_ROWS };
  }

  close(): void {
    this.#db.close();
  }
}

interface QuarantineRow {
  readonly id: number;
  readonly count: number;
  readonly last_received: number;
  readonly record: Uint8Array;
}

/** Lets other calls have their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** @throws DamagedRecord */
function playOf({ seq, record }: JournalRow): Play {
  return intact(`record ${seq} of the journal`, () => readPlayRecord(record));
}

/** @throws DamagedRecord */
function refusalOf(id: number, record: Uint8Array): Refusal {
  return intact(`item ${id} of quarantine`, () => readRefusalRecord(record));
}

function intact<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CorruptRecord)) throw error;
    throw new DamagedRecord(`${what} is damaged (${error.message}); restore playproof.db from a backup, and look at the disk`);
  }
}

interface GroupRow {
  readonly code: string;
  readonly device_id: string | null;
  readonly logs: number;
  readonly refusals: number;
  readonly last_received: number;
  readonly record: Uint8Array;
}

function groupOf(row: GroupRow): QuarantineGroup {
  const { code, storeId, detail, fields } = intact('a group of quarantine', () => readRefusalRecord(row.record));
  return {
    code,
    device_id: row.device_id,
    store_id: storeId,
    logs: row.logs,
    refusals: row.refusals,
    last_received_at: formatInstant(row.last_received),
    detail,
    retryable: CODES[code].retryable,
    fields,
  };
}
