import { randomUUID } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { MongoClient } from 'mongodb';
import { startMongo } from '../support/engines.ts';

export interface Server {
  readonly url: string;
  dispose(): Promise<void>;
}

/** The server that the suites run against: one of their own, or a real `mongod` that PLAYPROOF_TEST_MONGODB_URL names. */
export async function startServer(): Promise<Server> {
  const given = process.env['PLAYPROOF_TEST_MONGODB_URL'];
  return given ? { url: given, dispose: async () => {} } : startMongo();
}

/** A connection string of a database of its own on the server. */
export function databaseUrl({ url }: { readonly url: string }, options = ''): string {
  const [, hosts, query = ''] = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(?:\?(.*))?$/.exec(url) ?? [];
  if (hosts === undefined) throw new Error(`${url} is no connection string`);
  return `${hosts}/t${randomUUID().replaceAll('-', '')}?${[query, options].filter((part) => part !== '').join('&')}`;
}

/** The database as somebody else sees it, without our code. */
export async function withDatabase<T>(url: string, work: (db: ReturnType<MongoClient['db']>) => Promise<T>): Promise<T> {
  const client = new MongoClient(url);
  try {
    return await work(client.db());
  } finally {
    await client.close();
  }
}

/** Repeats `work` until it succeeds, for at most half a minute. */
export async function until<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === 600) throw error;
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    }
  }
}

export interface Tap {
  readonly port: number;
  /** What clients sent, as it was sent. */
  readonly sent: Buffer[];
  close(): void;
}

/** A way to the server on which everything is overheard. */
export async function tapOf(port: number): Promise<Tap> {
  const sent: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    client.on('data', (chunk: Buffer) => sent.push(chunk));
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: (server.address() as AddressInfo).port, sent, close };
}
