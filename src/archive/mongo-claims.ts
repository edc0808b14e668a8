/** Who owns a log_id, decided by MongoDB: the first document under it stands. */
import { setTimeout as delay } from 'node:timers/promises';
import { Binary, type Collection, MongoBulkWriteError } from 'mongodb';
import { recordReceivedAt } from '../journal/record.ts';
import { type MongoConnection, MongoUnavailable } from '../mongo/mongo-connection.ts';
import { piecesOf } from '../mongo/pieces.ts';
import type { Claim, Claimed } from '../settle/ports.ts';

/**
 * One owned log. `_id` is the log_id as a UUID (BinData subtype 4): sixteen bytes in the order of its text, so UUIDv7 ids append
 * to the index, and an operator finds it by `UUID("…")`. There is no other index: each would cost more than the insert itself.
 */
export interface ArchivedLog {
  readonly _id: Binary;
  readonly content_hash: Binary;
  /** `<journal_id>/<partition>/<offset>` */
  readonly position: string;
  readonly received_at: Date;
  /** journal/record.ts, as it was journalled. */
  readonly record: Binary;
}

/** All claims of a batch for one log_id. The first is the one that is inserted. */
interface Contest {
  readonly logId: Binary;
  readonly claims: readonly { readonly place: number; readonly claim: Claim }[];
}

interface Standing {
  readonly position: string;
  readonly contentHash: Uint8Array;
}

const DUPLICATE_KEY = 11_000;
/** A batch of large logs on a loaded server; a stopped server is noticed sooner, by its heartbeat. */
const CLAIM_MS = 60_000;
/** How often what was found written, and was not yet readable by a majority, is claimed again before the batch is given up. */
const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 10;

export function uuidBinary(bytes: Uint8Array): Binary {
  return new Binary(bytes, Binary.SUBTYPE_UUID);
}

/** @throws MongoUnavailable when it is not known of all claims; whatever was written is claimed again harmlessly. */
export async function claimAll(connection: MongoConnection, claims: readonly Claim[]): Promise<readonly Claimed[]> {
  const claimed: Claimed[] = [];
  let open = contestsOf(claims);
  for (let attempt = 0; open.length > 0; attempt += 1) {
    if (attempt === ATTEMPTS) throw new MongoUnavailable(`${open.length} logs are written and not yet confirmed by a majority of MongoDB`);
    if (attempt > 0) await delay(FIRST_PAUSE_MS * 2 ** attempt);
    const contests = open;
    const standing = await connection.ask(CLAIM_MS, (db) => decide(db.collection('archive'), contests));
    open = contests.filter(({ logId, claims: rivals }) => {
      const stands = standing.get(keyOf(logId));
      if (stands) for (const { place, claim } of rivals) claimed[place] = outcomeOf(claim, stands);
      return !stands;
    });
  }
  return claimed;
}

/**
 * Inserts the first claim of each contest. Where the id is taken, what stands is read from the primary as a majority has it: an
 * entry that is not visible so may still be rolled back, and is nobody's yet (it is missing from the answer). That it is
 * journalled is what the insert itself waited for: its write concern holds for everything before it, refused or not.
 */
async function decide(archive: Collection<ArchivedLog>, contests: readonly Contest[]): Promise<ReadonlyMap<string, Standing>> {
  const taken = await insert(archive, contests.map(documentOf));
  const standing = new Map<string, Standing>();
  for (const [place, { logId, claims }] of contests.entries()) {
    const { claim } = claims[0] as Contest['claims'][number];
    if (!taken.has(place)) standing.set(keyOf(logId), claim);
  }
  const ids = [...taken].map((place) => (contests[place] as Contest).logId);
  for (const piece of piecesOf(ids)) {
    const found = archive.find({ _id: { $in: piece } }, { projection: { position: 1, content_hash: 1 } });
    for await (const { _id, position, content_hash } of found) standing.set(keyOf(_id), { position, contentHash: content_hash.buffer });
  }
  return standing;
}

/** @returns the places of those whose `_id` was taken; all others are durable. */
async function insert(archive: Collection<ArchivedLog>, documents: readonly ArchivedLog[]): Promise<ReadonlySet<number>> {
  try {
    await archive.insertMany([...documents], { ordered: false });
    return new Set();
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError) || error.code !== DUPLICATE_KEY) throw error;
    const { result } = error;
    const refused = result.getWriteErrors();
    // Anything but duplicates, a write concern that was not met, or an insert nobody answered for: not written, so not known.
    const clean = refused.every(({ code }) => code === DUPLICATE_KEY) && result.getWriteConcernError() === undefined;
    if (!clean || result.insertedCount + refused.length !== documents.length) throw error;
    return new Set(refused.map(({ index }) => index));
  }
}

function contestsOf(claims: readonly Claim[]): Contest[] {
  const contests = new Map<string, { readonly logId: Binary; readonly claims: { readonly place: number; readonly claim: Claim }[] }>();
  for (const [place, claim] of claims.entries()) {
    const logId = uuidBinary(claim.logId);
    const key = keyOf(logId);
    const contest = contests.get(key);
    if (contest) contest.claims.push({ place, claim });
    else contests.set(key, { logId, claims: [{ place, claim }] });
  }
  return [...contests.values()];
}

function documentOf({ logId, claims }: Contest): ArchivedLog {
  const { claim } = claims[0] as Contest['claims'][number];
  return {
    _id: logId,
    content_hash: new Binary(claim.contentHash),
    position: claim.position,
    received_at: new Date(recordReceivedAt(claim.bytes)),
    record: new Binary(claim.bytes),
  };
}

function outcomeOf(claim: Claim, stands: Standing): Claimed {
  if (stands.position === claim.position) return 'owner';
  return Buffer.compare(stands.contentHash, claim.contentHash) === 0 ? 'duplicate' : 'conflict';
}

function keyOf(logId: Binary): string {
  return Buffer.from(logId.buffer.buffer, logId.buffer.byteOffset, logId.length()).toString('latin1');
}
