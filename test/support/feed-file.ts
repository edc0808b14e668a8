/** A `playproof.db` with plays in its feed, made without the service: what analytics reads. */
import type { DatabaseSync } from 'node:sqlite';
import type { Play } from '../../src/domain/play.ts';
import { writeUuid } from '../../src/domain/uuid.ts';
import { playRecordBound, writePlayRecord } from '../../src/journal/record.ts';
import { openForWriting } from '../../src/journal/sqlite-schema.ts';

export function uuidOf(kind: number, n: number): string {
  return `${kind.toString(16).padStart(8, '0')}-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
}

/** A play with the number `n`; `over` replaces what a test is about. */
export function playOf(n: number, over: Partial<Play> = {}): Play {
  const endedAt = over.endedAt ?? Date.UTC(2026, 8, 1) + n * 1000;
  return {
    logId: uuidOf(1, n),
    deviceId: uuidOf(2, n % 7),
    campaignId: uuidOf(3, n % 3),
    contentId: uuidOf(4, n % 5),
    storeId: uuidOf(5, n % 4),
    supplierId: uuidOf(6, n % 2),
    advertiserId: uuidOf(7, n % 3),
    region: n % 4 === 0 ? null : `R${n % 4}`,
    storeLocation: { lat: 10, lng: 106 },
    contentHash: n.toString(16).padStart(64, '0'),
    startedAt: endedAt - 15_000,
    endedAt,
    receivedAt: endedAt + 500,
    durationActualMs: 15_000,
    durationExpectedMs: 15_000,
    status: 'COMPLETED',
    reportedStatus: 'COMPLETED',
    billable: true,
    distanceM: null,
    contentKnown: true,
    clockChecked: true,
    ruleVersion: 1,
    keyId: 'k1',
    keyAlgorithm: 'RS256',
    keyValidFrom: null,
    keyValidUntil: null,
    canonical: Buffer.from('{}'),
    signature: Buffer.alloc(256),
    ...over,
  };
}

export class FeedFile {
  readonly db: DatabaseSync;
  #seq: number;

  constructor(file: string) {
    this.db = openForWriting(file);
    this.#seq = (this.db.prepare('SELECT coalesce(max(seq), 0) AS seq FROM journal').get() as { seq: number }).seq;
  }

  /** Appends and settles. Returns the last seq. */
  add(plays: readonly Play[]): number {
    const insert = this.db.prepare('INSERT INTO journal (seq, kind, log_id, record) VALUES (?, 1, ?, ?)');
    this.db.exec('BEGIN IMMEDIATE');
    for (const play of plays) {
      const bytes = Buffer.alloc(playRecordBound(play));
      const length = writePlayRecord(bytes, 0, play);
      const id = new Uint8Array(16);
      writeUuid(id, 0, play.logId);
      this.#seq += 1;
      insert.run(this.#seq, id, bytes.subarray(0, length));
    }
    this.db.prepare('UPDATE positions SET seq = ?').run(this.#seq);
    this.db.exec('COMMIT');
    return this.#seq;
  }

  /** A place in the journal that holds no play, as a refusal or a duplicate leaves it. */
  skip(): number {
    this.#seq += 1;
    this.db.prepare('UPDATE positions SET seq = ?').run(this.#seq);
    return this.#seq;
  }

  close(): void {
    this.db.close();
  }
}
