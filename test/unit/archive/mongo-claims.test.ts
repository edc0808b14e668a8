/** What the archive makes of answers that a healthy server on one machine does not give. */
import { type Binary, type Db, MongoBulkWriteError, type WriteError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { type ArchivedLog, claimAll } from '../../../src/archive/mongo-claims.ts';
import { type MongoConnection, MongoUnavailable } from '../../../src/mongo/mongo-connection.ts';
import type { Claim } from '../../../src/settle/ports.ts';
import { claimOf, hashOf } from '../../contract/archive-writer.contract.ts';

interface Insert {
  readonly documents: readonly ArchivedLog[];
  readonly attempt: number;
}

interface Answers {
  /** Returns, or throws, what the driver would. */
  readonly insert: (insert: Insert) => void;
  /** What a majority has, of the documents asked for. */
  readonly visible: (attempt: number) => readonly Pick<ArchivedLog, '_id' | 'position' | 'content_hash'>[];
}

/** A connection on which two calls are answered: the insert, and the look at what stands. */
function connectionOf({ insert, visible }: Answers): { readonly connection: MongoConnection; readonly attempts: () => number } {
  let attempt = 0;
  const archive = {
    insertMany: async (documents: readonly ArchivedLog[], options: object) => {
      expect(options).toEqual({ ordered: false });
      attempt += 1;
      insert({ documents, attempt });
    },
    find: () => visible(attempt),
  };
  const db = { collection: () => archive } as unknown as Db;
  const connection = { ask: (_ms: number, work: (db: Db) => Promise<unknown>) => work(db) } as unknown as MongoConnection;
  return { connection, attempts: () => attempt };
}

function bulkError(
  errors: readonly { readonly index: number; readonly code: number }[],
  { inserted = 0, writeConcernError = undefined as object | undefined, code = 11_000 } = {},
): MongoBulkWriteError {
  const result = { getWriteErrors: () => errors, getWriteConcernError: () => writeConcernError, insertedCount: inserted };
  return new MongoBulkWriteError({ message: 'told', code, writeErrors: errors as unknown as WriteError[] }, result as never);
}

const taken = (...indexes: number[]) => indexes.map((index) => ({ index, code: 11_000 }));
const standing = ({ logId, contentHash, position }: Claim) => ({ _id: logId, content_hash: { buffer: contentHash }, position });

function visibleOf(...claims: Claim[]): readonly Pick<ArchivedLog, '_id' | 'position' | 'content_hash'>[] {
  return claims.map((claim) => {
    const { content_hash, position } = standing(claim);
    return { _id: { buffer: claim.logId, length: () => 16 } as unknown as Binary, content_hash: content_hash as Binary, position };
  });
}

const claims = [claimOf(1, 1), claimOf(2, 2), claimOf(3, 3)];

describe('claims on MongoDB', () => {
  it('what is taken and not visible to a majority is claimed again until it is', async () => {
    const { connection, attempts } = connectionOf({
      insert: ({ documents, attempt }) => {
        expect(documents).toHaveLength(attempt === 1 ? 3 : 1);
        throw attempt === 1 ? bulkError(taken(1), { inserted: 2 }) : bulkError(taken(0));
      },
      visible: (attempt) => (attempt < 3 ? [] : visibleOf(claimOf(2, 77, hashOf(5)))),
    });
    expect(await claimAll(connection, claims)).toEqual(['owner', 'conflict', 'owner']);
    expect(attempts()).toBe(3);
  });

  it('what was taken and was rolled back belongs to who claims it next', async () => {
    const { connection } = connectionOf({
      insert: ({ attempt }) => {
        if (attempt === 1) throw bulkError(taken(1), { inserted: 2 });
      },
      visible: () => [],
    });
    expect(await claimAll(connection, claims)).toEqual(['owner', 'owner', 'owner']);
  });

  it('what stays invisible is not decided', async () => {
    const { connection } = connectionOf({
      insert: ({ attempt }) => {
        throw attempt === 1 ? bulkError(taken(1), { inserted: 2 }) : bulkError(taken(0));
      },
      visible: () => [],
    });
    await expect(claimAll(connection, claims)).rejects.toThrow(MongoUnavailable);
  });

  it('its own position is its own, wherever else the first attempt ended', async () => {
    const { connection } = connectionOf({
      insert: () => {
        throw bulkError(taken(0, 1, 2));
      },
      visible: () => visibleOf(claimOf(1, 1), claimOf(2, 99), claimOf(3, 3)),
    });
    expect(await claimAll(connection, claims)).toEqual(['owner', 'duplicate', 'owner']);
  });

  it.each([
    ['a write concern that was not met', bulkError(taken(1), { inserted: 2, writeConcernError: { code: 64 } })],
    ['a write concern error alone', bulkError([], { inserted: 3, writeConcernError: { code: 64 }, code: 64 })],
    ['another error beside duplicates', bulkError([...taken(1), { index: 2, code: 112 }], { inserted: 1 })],
    ['another error first', bulkError([{ index: 0, code: 112 }, ...taken(1)], { inserted: 1, code: 112 })],
    ['inserts that nobody answered for', bulkError(taken(1), { inserted: 1 })],
    ['a connection that broke', bulkError([], { code: 0 })],
    ['anything else', new Error('unknown')],
  ])('is not known after %s', async (_what, error) => {
    const { connection } = connectionOf({
      insert: () => {
        throw error;
      },
      visible: () => visibleOf(...claims),
    });
    await expect(claimAll(connection, claims)).rejects.toBe(error);
  });
});
