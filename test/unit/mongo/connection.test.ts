import { MongoClient } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MongoConnection, MongoUnavailable } from '../../../src/mongo/mongo-connection.ts';

/** Long enough that what is heard is the fault, and not the end of waiting, on a busy machine too. */
const ASK_MS = 30_000;

describe('a MongoDB that goes away while it is asked', () => {
  let connection: MongoConnection;

  beforeEach(() => {
    // It was there: the fault comes after the connection was made.
    vi.spyOn(MongoClient.prototype, 'connect').mockImplementation(async function (this: MongoClient) {
      return this;
    });
    connection = new MongoConnection('mongodb://127.0.0.1:1/');
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await connection.close();
  });

  it.each(['EPIPE', 'ECONNRESET'])('is unavailable, also where the driver lets %s through', async (code) => {
    const cut = async (): Promise<never> => {
      throw Object.assign(new Error('This socket has been ended by the other party'), { code });
    };
    await expect(connection.ask(ASK_MS, cut)).rejects.toThrow(
      new MongoUnavailable('MongoDB cannot be asked now: This socket has been ended by the other party'),
    );
  });

  it('says nothing of faults that are not its own', async () => {
    const fault = new RangeError('of the caller');
    await expect(
      connection.ask(ASK_MS, async () => {
        throw fault;
      }),
    ).rejects.toBe(fault);
  });
});
