import { describe, expect, it } from 'vitest';
import { MongoConnection, MongoUnavailable } from '../../../src/mongo/mongo-connection.ts';

describe('a MongoDB that goes away while it is asked', () => {
  it.each(['EPIPE', 'ECONNRESET'])('is unavailable, also where the driver lets %s through', async (code) => {
    const connection = new MongoConnection('mongodb://127.0.0.1:1/');
    const cut = async (): Promise<never> => {
      throw Object.assign(new Error('This socket has been ended by the other party'), { code });
    };
    await expect(connection.ask(1_000, cut)).rejects.toBeInstanceOf(MongoUnavailable);
    await connection.close();
  });

  it('says nothing of faults that are not its own', async () => {
    const connection = new MongoConnection('mongodb://127.0.0.1:1/');
    const fault = new RangeError('of the caller');
    await expect(
      connection.ask(1_000, async () => {
        throw fault;
      }),
    ).rejects.toBe(fault);
    await connection.close();
  });
});
