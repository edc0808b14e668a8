/**
 * The load generator's HTTP client: a fixed number of connections that are kept open, one request on each at a time, straight on
 * the sockets. It knows as much of HTTP/1.1 as this service's answers need, and takes a third of what a general client takes from
 * the cores under measurement.
 */
import { connect, type Socket } from 'node:net';

export interface Answer {
  /** 0: none came. */
  readonly status: number;
  readonly retryAfter: boolean;
  /** The first characters of the body. */
  readonly start: string;
}

export type OnAnswer = (answer: Answer) => void;

interface Order {
  readonly head: string;
  readonly body: Uint8Array;
  readonly onAnswer: OnAnswer;
}

const TIMEOUT_MS = 60_000;
const READ_BYTES = 64 * 1024;
/** Heads longer than this are not this service's. */
const MAX_HEAD = 8 * 1024;
const START_LENGTH = 100;
/** Up to here one write of a copy is cheaper than two. */
const COPY_BYTES = 16 * 1024;
const NO_ANSWER: Answer = { status: 0, retryAfter: false, start: '' };

export class Connections {
  readonly #idle: Connection[] = [];
  readonly #all: Connection[] = [];
  readonly #waiting: Order[] = [];
  readonly #host: string;

  constructor(url: string, connections: number) {
    const { hostname, port, host } = new URL(url);
    this.#host = host;
    for (let i = 0; i < connections; i += 1) {
      const connection = new Connection(hostname, Number(port), () => this.#next(connection));
      this.#all.push(connection);
      this.#idle.push(connection);
    }
  }

  /** Sends it as soon as a connection is free. `onAnswer` is called once, whatever happens. */
  post(path: string, body: Uint8Array, onAnswer: OnAnswer): void {
    const head = `POST ${path} HTTP/1.1\r\nhost: ${this.#host}\r\ncontent-type: application/json\r\ncontent-length: ${body.byteLength}\r\n\r\n`;
    const order = { head, body, onAnswer };
    const connection = this.#idle.pop();
    if (connection) connection.send(order);
    else this.#waiting.push(order);
  }

  close(): void {
    for (const connection of this.#all) connection.close();
  }

  #next(connection: Connection): void {
    const order = this.#waiting.shift();
    if (order) connection.send(order);
    else this.#idle.push(connection);
  }
}

class Connection {
  readonly #hostname: string;
  readonly #port: number;
  readonly #onFree: () => void;
  readonly #memory = Buffer.allocUnsafeSlow(READ_BYTES);
  #socket: Socket | null = null;
  #order: Order | null = null;
  /** What came of the head so far, until it is whole. */
  #head = '';
  /** Of the answer whose head is here; its body misses `#missing` bytes. */
  #answer: Omit<Answer, 'start'> | null = null;
  #start = '';
  #missing = 0;
  #last = false;

  constructor(hostname: string, port: number, onFree: () => void) {
    this.#hostname = hostname;
    this.#port = port;
    this.#onFree = onFree;
  }

  send(order: Order): void {
    this.#order = order;
    const socket = (this.#socket ??= this.#open());
    if (order.body.byteLength <= COPY_BYTES) {
      socket.write(Buffer.concat([Buffer.from(order.head, 'latin1'), order.body]));
      return;
    }
    socket.cork();
    socket.write(order.head, 'latin1');
    socket.write(order.body);
    socket.uncork();
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect({
      host: this.#hostname,
      port: this.#port,
      noDelay: true,
      // One buffer for all reads: nothing is kept of them.
      onread: {
        buffer: this.#memory,
        callback: (bytes) => {
          if (this.#socket === socket) this.#read(bytes);
          return true;
        },
      },
    });
    socket.setTimeout(TIMEOUT_MS, () => {
      if (this.#order) socket.destroy();
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      if (this.#order) this.#finish(NO_ANSWER);
    });
    return socket;
  }

  #read(bytes: number): void {
    let at = 0;
    if (!this.#answer) {
      const before = this.#head.length;
      this.#head += this.#memory.toString('latin1', 0, bytes);
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) {
        if (this.#head.length > MAX_HEAD) this.#socket?.destroy();
        return;
      }
      at = end + 4 - before;
      if (!this.#understand(this.#head.slice(0, end))) return;
    }
    if (this.#start.length < START_LENGTH) this.#start += this.#memory.toString('latin1', at, Math.min(bytes, at + START_LENGTH));
    this.#missing -= bytes - at;
    if (this.#missing > 0 || !this.#answer) return;
    if (this.#last) {
      this.#socket?.destroy();
      this.#socket = null;
    }
    this.#finish({ ...this.#answer, start: this.#start });
  }

  /** Answers whose length is not told are nothing that this service sends: the connection is given up. */
  #understand(head: string): boolean {
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) {
      this.#socket?.destroy();
      return false;
    }
    this.#missing = Number(length);
    this.#last = /\r\nconnection: *close/i.test(head);
    this.#answer = { status: Number(head.slice(9, 12)), retryAfter: /\r\nretry-after:/i.test(head) };
    return true;
  }

  #finish(answer: Answer): void {
    const order = this.#order;
    this.#order = null;
    this.#head = '';
    this.#answer = null;
    this.#start = '';
    // What waits goes first: the callback may have something to send, too.
    this.#onFree();
    order?.onAnswer(answer);
  }
}
