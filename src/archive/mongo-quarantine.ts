/** Refused logs in MongoDB: one document for each log_id, content hash and code, with a count. */
import { type AnyBulkWriteOperation, Binary, type Collection, type Db, type Document, type Filter } from 'mongodb';
import { CODES } from '../domain/codes.ts';
import type { Refusal } from '../domain/refusal.ts';
import { formatInstant } from '../domain/timestamp.ts';
import { writeUuid } from '../domain/uuid.ts';
import { readRefusalRecord, refusalRecord } from '../journal/record.ts';
import type { QuarantineGroup, QuarantineGroups, QuarantineGroupsQuery, QuarantineItem, QuarantineQuery } from '../query/archive-port.ts';
import type { Scope } from '../server/access.ts';
import { ANSWER_MS, MongoUnavailable } from '../mongo/mongo-connection.ts';
import type { Index } from '../mongo/mongo-schema.ts';
import type { Kept } from '../settle/ports.ts';
import { quarantineItem } from './shown.ts';

export interface QuarantinedLog {
  /** The log_id's sixteen bytes (zeros where there is none), the content hash's 32, the code: of fixed lengths but for the last. */
  readonly _id: Binary;
  /** Greater is newer; the list is in this order. */
  readonly seq: number;
  readonly code: string;
  readonly device_id: string | null;
  readonly supplier_id: string | null;
  readonly advertiser_id: string | null;
  readonly proven: boolean;
  readonly count: number;
  /** Milliseconds since 1970 UTC. */
  readonly last_received: number;
  /** For each `<journal_id>/<partition>` the last offset that was counted, so that none is counted twice. */
  readonly counted: Readonly<Record<string, number>>;
  readonly record: Binary;
}

const COUNTER = 'quarantine';

interface Counter {
  readonly _id: string;
  readonly value: number;
}

export const QUARANTINE_INDEXES: readonly Index[] = [
  { collection: 'quarantine', name: 'newest', keys: { seq: -1 } },
  { collection: 'quarantine', name: 'newest_of_device', keys: { device_id: 1, seq: -1 } },
];

/** Refusals that are grouped, and groups that are told: what a person can look through. */
const GROUPED_ROWS = 20_000;
const MAX_GROUPS = 500;
/** Documents in one bulk write; with 16 KiB logs a few megabytes. */
export const BULK_ROWS = 500;

/** Makes the counter. After a restore from a backup its numbers must not begin again below those in use. */
export async function layOutNumbers(db: Db): Promise<void> {
  const newest = await quarantineOf(db).findOne({}, { sort: { seq: -1 }, projection: { seq: 1 } });
  await countersOf(db).updateOne({ _id: COUNTER }, { $max: { value: newest?.seq ?? 0 } }, { upsert: true });
}

/**
 * Keeps the refusals; durable when it resolves. Positions of one journal partition come in order, whoever settles it, so the last
 * one counted for a document tells which were: the same positions again change nothing.
 * @param perDevice Unproven refusals that are kept for each device, the newest.
 */
export async function keepRefusals(db: Db, kept: readonly Kept[], perDevice: number): Promise<void> {
  const rows = rowsOf(kept);
  const first = await takeNumbers(db, rows.length);
  const quarantine = quarantineOf(db);
  const writes = rows.map((row, place) => upsertOf(row, first + place));
  for (let from = 0; from < writes.length; from += BULK_ROWS) {
    await quarantine.bulkWrite(writes.slice(from, from + BULK_ROWS), { ordered: false });
  }
  const devices = new Set(rows.flatMap(({ refusal }) => (refusal.proven || refusal.deviceId === null ? [] : [refusal.deviceId])));
  for (const deviceId of devices) await prune(quarantine, deviceId, perDevice);
}

export async function listRefusals(db: Db, { scope, code, deviceId, limit, before }: QuarantineQuery): Promise<readonly QuarantineItem[]> {
  const filter: Filter<QuarantinedLog> = {
    ...inScope(scope),
    ...(before !== null && { seq: { $lt: before } }),
    ...(code !== null && { code }),
    ...(deviceId !== null && { device_id: deviceId }),
  };
  const rows = await quarantineOf(db).find(filter, { maxTimeMS: ANSWER_MS }).sort({ seq: -1 }).limit(limit).toArray();
  return rows.map(({ seq, count, last_received, record }) =>
    quarantineItem({ id: seq, count, lastReceived: last_received, refusal: readRefusalRecord(record.buffer) }),
  );
}

export async function groupRefusals(db: Db, { scope, code, deviceId }: QuarantineGroupsQuery): Promise<QuarantineGroups> {
  const quarantine = quarantineOf(db);
  // So that a search nobody waits for any more does not go on in the server.
  const bounded = { maxTimeMS: ANSWER_MS };
  const newest = [
    { $match: inScope(scope) },
    { $sort: { seq: -1 } },
    { $limit: GROUPED_ROWS },
    { $project: { code: 1, device_id: 1, count: 1, last_received: 1, seq: 1 } },
  ];
  const [{ examined } = { examined: 0 }] = await quarantine
    .aggregate<{ examined: number }>([...newest, { $count: 'examined' }], bounded)
    .toArray();
  const groups = await quarantine
    .aggregate<{ _id: { code: string; device_id: string | null }; logs: number; refusals: number; last: number; newest: number }>(
      [
        ...newest,
        { $match: { ...(code !== null && { code }), ...(deviceId !== null && { device_id: deviceId }) } },
        {
          $group: {
            _id: { code: '$code', device_id: '$device_id' },
            logs: { $sum: 1 },
            refusals: { $sum: '$count' },
            last: { $max: '$last_received' },
            newest: { $max: '$seq' },
          },
        },
        { $sort: { refusals: -1, '_id.code': 1, '_id.device_id': 1 } },
        { $limit: MAX_GROUPS },
      ],
      bounded,
    )
    .toArray();
  const shown = await quarantine
    .find({ seq: { $in: groups.map((group) => group.newest) } }, { projection: { seq: 1, record: 1 } })
    .toArray();
  const refusals = new Map(shown.map(({ seq, record }) => [seq, readRefusalRecord(record.buffer)]));
  return {
    // A group whose newest refusal was removed in between is told next time.
    groups: groups.flatMap(({ _id, logs, refusals: told, last, newest: seq }): QuarantineGroup[] => {
      const refusal = refusals.get(seq);
      if (!refusal) return [];
      const { code: reason, storeId, detail, fields } = refusal;
      const { retryable } = CODES[reason];
      const when = formatInstant(last);
      return [
        {
          code: reason,
          device_id: _id.device_id,
          store_id: storeId,
          logs,
          refusals: told,
          last_received_at: when,
          detail,
          retryable,
          fields,
        },
      ];
    }),
    examined,
    whole: examined < GROUPED_ROWS,
  };
}

interface Row {
  readonly id: Binary;
  readonly refusal: Refusal;
  lastReceived: number;
  /** Offsets by `<journal_id>/<partition>`. */
  readonly offsets: Map<string, number[]>;
}

function rowsOf(kept: readonly Kept[]): Row[] {
  const rows = new Map<string, Row>();
  for (const { refusal, position } of kept) {
    const id = idOf(refusal);
    const key = Buffer.from(id).toString('latin1');
    let row = rows.get(key);
    if (!row) {
      row = { id: new Binary(id), refusal, lastReceived: refusal.receivedAt, offsets: new Map() };
      rows.set(key, row);
    }
    row.lastReceived = Math.max(row.lastReceived, refusal.receivedAt);
    const { partition, offset } = placeOf(position);
    const offsets = row.offsets.get(partition);
    if (offsets) offsets.push(offset);
    else row.offsets.set(partition, [offset]);
  }
  return [...rows.values()];
}

export function idOf({ logId, contentHash, code }: Refusal): Uint8Array {
  const id = Buffer.alloc(48 + code.length);
  if (logId !== null) writeUuid(id, 0, logId);
  id.write(contentHash, 16, 32, 'hex');
  id.write(code, 48, 'latin1');
  return id;
}

/** A field's name may hold neither `.` nor `$`. */
function placeOf(position: string): { readonly partition: string; readonly offset: number } {
  const slash = position.lastIndexOf('/');
  const offset = Number(position.slice(slash + 1));
  if (slash < 0 || !Number.isSafeInteger(offset))
    throw new Error(`"${position}" is no position; it should be <journal_id>/<partition>/<offset>`);
  return { partition: position.slice(0, slash).replaceAll('%', '%25').replaceAll('.', '%2E').replaceAll('$', '%24'), offset };
}

/** What a refusal's document says from its first time on. */
export function asFirstSaid(refusal: Refusal, seq: number): Document {
  const kept = {
    seq,
    code: refusal.code,
    device_id: refusal.deviceId,
    supplier_id: refusal.supplierId,
    advertiser_id: refusal.advertiserId,
    proven: refusal.proven,
    record: new Binary(refusalRecord(refusal)),
  };
  return Object.fromEntries(Object.entries(kept).map(([name, value]) => [name, { $ifNull: [`$${name}`, { $literal: value }] }]));
}

/** One atomic change: makes the document where there is none, and counts the offsets that it has not counted. */
function upsertOf({ id, refusal, lastReceived, offsets }: Row, seq: number): AnyBulkWriteOperation<QuarantinedLog> {
  const added: Document[] = [];
  const counted: Document = {};
  for (const [partition, list] of offsets) {
    const last = { $ifNull: [`$counted.${partition}`, -1] };
    added.push({ $size: { $filter: { input: { $literal: [...new Set(list)] }, as: 'offset', cond: { $gt: ['$$offset', last] } } } });
    counted[`counted.${partition}`] = { $max: [last, Math.max(...list)] };
  }
  return {
    updateOne: {
      filter: { _id: id },
      upsert: true,
      update: [
        {
          $set: {
            ...asFirstSaid(refusal, seq),
            count: { $add: [{ $ifNull: ['$count', 0] }, ...added] },
            last_received: { $max: ['$last_received', lastReceived] },
          },
        },
        { $set: counted },
      ],
    },
  };
}

/** Takes `count` numbers that nobody else gets, and returns the first. They may have gaps. */
export async function takeNumbers(db: Db, count: number): Promise<number> {
  const take = { $inc: { value: count } };
  const after = await countersOf(db).findOneAndUpdate({ _id: COUNTER }, take, { returnDocument: 'after' });
  if (after) return after.value - count + 1;
  await layOutNumbers(db);
  throw new MongoUnavailable('the counter of the quarantine was missing in MongoDB and has been made again');
}

export async function prune(quarantine: Collection<QuarantinedLog>, deviceId: string, perDevice: number): Promise<void> {
  const unproven = { device_id: deviceId, proven: false };
  const [newestTooMany] = await quarantine
    .find(unproven, { projection: { seq: 1 } })
    .sort({ seq: -1 })
    .skip(perDevice)
    .limit(1)
    .toArray();
  if (newestTooMany) await quarantine.deleteMany({ ...unproven, seq: { $lte: newestTooMany.seq } });
}

function inScope({ supplierId, advertiserId }: Scope): Filter<QuarantinedLog> {
  return {
    ...(supplierId !== null && { supplier_id: supplierId }),
    ...(advertiserId !== null && { advertiser_id: advertiserId }),
  };
}

export function quarantineOf(db: Db): Collection<QuarantinedLog> {
  return db.collection('quarantine');
}

function countersOf(db: Db): Collection<Counter> {
  return db.collection('counters');
}
