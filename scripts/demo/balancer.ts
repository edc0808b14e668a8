/** What stands in front of several nodes: hands each connection to the next one. */
import { connect, createServer, type Socket } from 'node:net';

export interface Balancer {
  readonly url: string;
  stop(): Promise<void>;
}

/** A node that cannot be reached is passed over; when none can, the connection is closed and its client tries again. */
export async function startBalancer(nodes: readonly string[]): Promise<Balancer> {
  const ports = nodes.map((node) => Number(new URL(node).port));
  const open = new Set<Socket>();
  let turn = 0;
  const watch = (socket: Socket): void => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  };
  const hand = (client: Socket, tries: number): void => {
    const port = ports[turn % ports.length];
    turn += 1;
    if (port === undefined || tries === 0 || client.destroyed) {
      client.destroy();
      return;
    }
    const node = connect(port, '127.0.0.1');
    watch(node);
    const refused = (): void => hand(client, tries - 1);
    node.once('error', refused);
    node.once('connect', () => {
      node.off('error', refused);
      node.on('error', () => client.destroy());
      client.on('error', () => node.destroy());
      client.once('close', () => node.destroy());
      node.once('close', () => client.destroy());
      client.pipe(node).pipe(client);
    });
  };
  const server = createServer((client) => {
    watch(client);
    // Until a node was found there is nobody else to hear of it.
    client.on('error', () => client.destroy());
    hand(client, ports.length);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the balancer has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
