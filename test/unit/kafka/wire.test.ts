/** Our own connection to a broker, against sockets that are none. Real brokers: test/engines. */
import { createServer, type Server, type Socket } from 'node:net';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { KafkaSettings } from '../../../src/config.ts';
import { describeCluster } from '../../../src/kafka/describe.ts';
import { KafkaRefused, KafkaUnreachable, WireError } from '../../../src/kafka/errors.ts';
import { withAnyBroker } from '../../../src/kafka/wire.ts';
import { WireReader, WireWriter } from '../../../src/kafka/wire-codec.ts';

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

async function serve(onSocket: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

function settings(brokers: string, tls = false): KafkaSettings {
  const none = { caFile: null, certFile: null, keyFile: null, saslMechanism: null, saslUsername: null, saslPassword: null };
  return { brokers, partitions: 1, allowWeak: false, tls, ...none };
}

/** A cluster of one broker, `id` its name, without topics; in pieces of a few bytes. */
function answerAsCluster(id: string): (socket: Socket) => void {
  return (socket) =>
    socket.once('data', (request: Buffer) => {
      const body = new WireWriter().int32(request.readInt32BE(8)).noTags().int32(0);
      body.compactArray([1], (node) => body.int32(node).compactString('host').int32(9092).varint(0).noTags());
      body
        .compactString(id)
        .int32(1)
        .compactArray([], () => undefined)
        .int32(0)
        .noTags();
      const frame = new WireWriter().bytes(body.done()).done();
      for (let at = 0; at < frame.length; at += 3) socket.write(frame.subarray(at, at + 3));
    });
}

const ask = (brokers: string, tls = false): Promise<string> =>
  withAnyBroker(settings(brokers, tls), async (connection) => (await describeCluster(connection, [])).id);

describe('a connection to a broker', () => {
  it('reads an answer that comes in pieces', async () => {
    expect(await ask(await serve(answerAsCluster('the-cluster')))).toBe('the-cluster');
  });

  it('goes to the next broker when one is not there, and when one hangs up', async () => {
    const hangsUp = await serve((socket) => socket.once('data', () => socket.destroy()));
    const good = await serve(answerAsCluster('the-cluster'));
    expect(await ask(`127.0.0.1:1,${hangsUp},${good}`)).toBe('the-cluster');
    const failing = ask(`127.0.0.1:1,${hangsUp}`);
    await expect(failing).rejects.toThrow(KafkaUnreachable);
    await expect(failing).rejects.toThrow(/127\.0\.0\.1:1: .*ECONNREFUSED.*; 127\.0\.0\.1:\d+: it closed the connection/);
  });

  it('says that something else answers', async () => {
    const other = await serve((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await expect(ask(other)).rejects.toThrow(/does not speak Kafka's protocol/);
    await expect(ask(await serve((socket) => socket.once('data', (bytes) => socket.write(bytes))))).rejects.toThrow(WireError);
  });

  it('says that a port does not speak TLS', async () => {
    const plain = await serve((socket) => socket.write('\0\0\0\0plain'));
    const refused = ask(plain, true);
    await expect(refused).rejects.toThrow(KafkaRefused);
    await expect(refused).rejects.toThrow(/does not speak TLS/);
  });
});

describe('the primitive types', () => {
  it('come back as they went', () => {
    const strings = fc.string({ unit: 'binary', maxLength: 200 });
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), strings, fc.array(strings, { maxLength: 200 }), fc.uint8Array(), (number, text, list, bytes) => {
        const writer = new WireWriter().varint(number).string(text).string(null).compactString(text).bytes(bytes);
        writer
          .array(list, (item) => writer.string(item))
          .compactArray(list, (item) => writer.compactString(item))
          .noTags();
        const reader = new WireReader(writer.done());
        const clean = Buffer.from(text, 'utf8').toString('utf8');
        expect(reader.varint()).toBe(number);
        expect(reader.string()).toBe(clean);
        expect(reader.nullableString()).toBe(null);
        expect(reader.compactNullableString()).toBe(clean);
        expect(reader.bytes()).toEqual(Buffer.from(bytes));
        expect(reader.array(() => reader.string())).toHaveLength(list.length);
        expect(reader.compactArray(() => reader.compactNullableString())).toHaveLength(list.length);
        reader.skipTags();
        expect(() => reader.int8()).toThrow(WireError);
      }),
    );
  });

  it('of cut bytes are an error, not an endless list', () => {
    const reader = new WireReader(Buffer.from('7fffffff00', 'hex'));
    expect(() => reader.array(() => reader.int8())).toThrow(WireError);
  });
});
