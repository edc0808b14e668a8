/** Evidence, feed and quarantine from `playproof.db`, on a connection that can only read. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { CODES } from '../domain/codes.ts';
import type { Play } from '../domain/play.ts';
import { formatInstant } from '../domain/timestamp.ts';
import { writeUuid } from '../domain/uuid.ts';
import { feedRecord } from '../feed/feed-record.ts';
import { readPlayRecord, readRefusalRecord, recordReceivedAt } from '../journal/record.ts';
import { openForReading } from '../journal/sqlite-schema.ts';
import type { FeedPage, FoundPlay, PlayArchive, QuarantineItem, QuarantineQuery } from '../query/archive-port.ts';
import type { Scope } from '../server/access.ts';

/** Rows read in one turn; other calls get theirs in between. */
const CHUNK_ROWS = 500;

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

  constructor(file: string) {
    this.#db = openForReading(file);
    this.#position = this.#db.prepare("SELECT journal_id, seq FROM positions WHERE name = 'settle'");
    this.#owned = this.#db.prepare(
      'SELECT journal.seq, journal.record FROM owners JOIN journal ON journal.seq = owners.seq WHERE owners.log_id = ?',
    );
    this.#unsettled = this.#db.prepare('SELECT record FROM journal WHERE seq > ? AND kind = 1 AND log_id = ? LIMIT 1');
    this.#feed = this.#db.prepare(
      `SELECT seq, record FROM journal WHERE kind = 1 AND seq > ? AND seq <= (SELECT seq FROM positions WHERE name = 'settle') ORDER BY seq LIMIT ?`,
    );
    this.#quarantine = this.#db.prepare(
      `SELECT id, count, last_received, record FROM quarantine
       WHERE id < :before AND (:code IS NULL OR code = :code) AND (:device IS NULL OR device_id = :device)
         AND (:supplier IS NULL OR supplier_id = :supplier) AND (:advertiser IS NULL OR advertiser_id = :advertiser)
       ORDER BY id DESC LIMIT :limit`,
    );
  }

  async play(logId: string, scope: Scope): Promise<FoundPlay | 'unsettled' | null> {
    const id = new Uint8Array(16);
    writeUuid(id, 0, logId);
    const position = this.#position.get() as { journal_id: string; seq: number };
    const row = this.#owned.get(id) as unknown as JournalRow | undefined;
    if (row) {
      const play = readPlayRecord(row.record);
      if (!within(play, scope)) return null;
      return { play, positions: { journal: `${position.journal_id}/0/${row.seq}`, feed: String(row.seq) } };
    }
    // The tail behind the read position is short: settling follows within milliseconds.
    const waiting = this.#unsettled.get(position.seq, id) as { record: Uint8Array } | undefined;
    return waiting && within(readPlayRecord(waiting.record), scope) ? 'unsettled' : null;
  }

  async feed(after: number, limit: number, scope: Scope): Promise<FeedPage> {
    const lines: string[] = [];
    let from = after;
    for (;;) {
      const rows = this.#feed.all(from, Math.min(CHUNK_ROWS, limit)) as unknown as JournalRow[];
      for (const { seq, record } of rows) {
        const play = readPlayRecord(record);
        if (!within(play, scope)) continue;
        lines.push(JSON.stringify({ ...feedRecord(play), position: String(seq) }));
        if (lines.length === limit) break;
      }
      const last = rows.at(-1);
      if (!last || lines.length === limit || rows.length < Math.min(CHUNK_ROWS, limit)) break;
      from = last.seq;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { lines: Buffer.from(lines.length === 0 ? '' : `${lines.join('\n')}\n`), count: lines.length };
  }

  async quarantine({ scope, code, deviceId, limit, before }: QuarantineQuery): Promise<readonly QuarantineItem[]> {
    const rows = this.#quarantine.all({
      before: before ?? Number.MAX_SAFE_INTEGER,
      code,
      device: deviceId,
      supplier: scope.supplierId,
      advertiser: scope.advertiserId,
      limit,
    }) as unknown as { id: number; count: number; last_received: number; record: Uint8Array }[];
    return rows.map(({ id, count, last_received, record }) => {
      const refusal = readRefusalRecord(record);
      return {
        quarantine_id: id,
        log_id: refusal.logId,
        device_id: refusal.deviceId,
        store_id: refusal.storeId,
        supplier_id: refusal.supplierId,
        advertiser_id: refusal.advertiserId,
        code: refusal.code,
        detail: refusal.detail,
        retryable: CODES[refusal.code].retryable,
        fields: refusal.fields,
        signature_proven: refusal.proven,
        received_at: formatInstant(refusal.receivedAt),
        last_received_at: formatInstant(last_received),
        count,
        content_hash: refusal.contentHash,
        body: Buffer.from(refusal.body).toString('base64'),
        signature: refusal.signature.length > 0 ? Buffer.from(refusal.signature).toString('base64') : null,
      };
    });
  }

  async receivedAfter(after: number): Promise<number | null> {
    const row = this.#feed.get(after, 1) as unknown as JournalRow | undefined;
    return row ? recordReceivedAt(row.record) : null;
  }

  close(): void {
    this.#db.close();
  }
}

function within(play: Play, { supplierId, advertiserId }: Scope): boolean {
  return (supplierId === null || play.supplierId === supplierId) && (advertiserId === null || play.advertiserId === advertiserId);
}
