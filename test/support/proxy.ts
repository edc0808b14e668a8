/**
 * A TCP proxy on 127.0.0.1 that does to connections what networks do: it delays, stops reading, cuts, closes one way, is away, and
 * loses the answer of a chosen request, which has reached the server all the same; or it answers one in the server's place, which
 * never hears of it. It knows requests and answers of a protocol by its frames (proxy-protocols.ts); without one it passes bytes on.
 */
import net from 'node:net';
import type { Frames, Protocol } from './proxy-protocols.ts';
import { FrameSplitter } from './proxy-protocols.ts';

/** Which requests are meant. */
export interface Chosen {
  /** As the protocol names it: Kafka's api key, MongoDB's command. */
  readonly kind: string;
  /** Bytes that the request must hold, such as the name of a topic. */
  readonly holding?: string;
  /** Bytes that it must not hold. */
  readonly lacking?: string;
}

/** cut: the connection breaks instead. silence: it stays open, and the answer never comes. A number: it comes so many milliseconds late. */
export type Fate = 'cut' | 'silence' | number;

/** What the server would answer to this request: a whole frame. */
export type Answer = (request: Buffer) => Buffer;

interface Rule {
  readonly chosen: Chosen;
  readonly fate: Fate;
  left: number;
  readonly happened: () => void;
}

/** Bytes on their way, in their order, each not before its time. */
class Lane {
  readonly #to: net.Socket;
  #last = 0;

  constructor(to: net.Socket) {
    this.#to = to;
  }

  send(bytes: Buffer, delayMs: number): void {
    const at = Math.max(performance.now() + delayMs, this.#last);
    this.#last = at;
    const wait = at - performance.now();
    if (wait <= 0) this.#write(bytes);
    else setTimeout(() => this.#write(bytes), wait);
  }

  /** Behind everything that is on its way. */
  end(): void {
    setTimeout(() => this.#to.end(), Math.max(0, this.#last - performance.now()) + 1);
  }

  #write(bytes: Buffer): void {
    if (this.#to.writable) this.#to.write(bytes);
  }
}

interface Pair {
  readonly client: net.Socket;
  readonly server: net.Socket;
  /** The fate of answers that have not come yet, by the id of their request. */
  readonly awaited: Map<number, Rule>;
}

export class Proxy {
  readonly port: number;
  readonly #target: number;
  readonly #protocol: Protocol | null;
  readonly #server: net.Server;
  readonly #pairs = new Set<Pair>();
  #rules: Rule[] = [];
  #refusals: { readonly chosen: readonly Chosen[]; readonly answer: Answer }[] = [];
  #delayMs = 0;
  #stalled = false;
  #away = false;

  private constructor(server: net.Server, port: number, target: number, protocol: Protocol | null) {
    this.#server = server;
    this.port = port;
    this.#target = target;
    this.#protocol = protocol;
    server.on('connection', (client) => this.#connected(client));
  }

  /** @param target The port of the real server, which need not be there yet. */
  static async listen(port: number, target: number, protocol: Protocol | null = null): Promise<Proxy> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return new Proxy(server, port, target, protocol);
  }

  /** Everything takes this much longer, each way. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Nothing is read or passed on any more; connections stay open and can be made. */
  stall(): void {
    this.#stalled = true;
    for (const { client, server } of this.#pairs) for (const socket of [client, server]) socket.pause();
  }

  /** Every connection breaks; new ones are taken. */
  cut(): void {
    for (const pair of this.#pairs) this.#break(pair);
  }

  /** The server ends each connection while it still reads from it. */
  halfClose(): void {
    for (const { client } of this.#pairs) client.end();
  }

  /** Every connection breaks, and new ones too. */
  leave(): void {
    this.#away = true;
    this.cut();
  }

  /** Loses the answers of the next `times` chosen requests, or delays them. @returns resolves when the last one was lost */
  answers(chosen: Chosen, fate: Fate, times = 1): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#rules.push({ chosen, fate, left: times, happened: resolve });
    return promise;
  }

  /** The chosen requests do not reach the server: it is this that they hear. */
  refuse(chosen: readonly Chosen[], answer: Answer): void {
    this.#refusals.push({ chosen, answer });
  }

  /** No fault any more. What a stalled or delayed connection holds goes on; what was lost stays lost. */
  heal(): void {
    this.#rules = [];
    this.#refusals = [];
    this.#delayMs = 0;
    this.#away = false;
    this.#stalled = false;
    for (const { client, server } of this.#pairs) for (const socket of [client, server]) socket.resume();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #connected(client: net.Socket): void {
    if (this.#away) {
      client.destroy();
      return;
    }
    const server = net.connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const pair: Pair = { client, server, awaited: new Map() };
    this.#pairs.add(pair);
    const back = new Lane(client);
    this.#pass(pair, client, new Lane(server), (frame, lane) => {
      const refusal = this.#refusalOf(frame);
      if (refusal) back.send(refusal, this.#delayMs);
      else {
        this.#asked(pair, frame);
        lane.send(frame, this.#delayMs);
      }
    });
    this.#pass(pair, server, back, (frame, lane) => this.#answered(pair, frame, lane));
    if (this.#stalled) for (const socket of [client, server]) socket.pause();
  }

  #pass(pair: Pair, from: net.Socket, lane: Lane, take: (frame: Buffer, lane: Lane) => void): void {
    const frames: Frames | null = this.#protocol && new FrameSplitter(this.#protocol);
    from.on('data', (bytes: Buffer) => {
      if (frames) for (const frame of frames.push(bytes)) take(frame, lane);
      else lane.send(bytes, this.#delayMs);
    });
    from.on('end', () => lane.end());
    from.on('error', () => this.#break(pair));
    from.on('close', () => this.#break(pair));
  }

  #refusalOf(frame: Buffer): Buffer | null {
    const kind = this.#refusals.length > 0 ? this.#protocol?.request(frame)?.kind : undefined;
    if (kind === undefined) return null;
    const meant = (one: Chosen): boolean => one.kind === kind && holds(frame, one);
    return this.#refusals.find(({ chosen }) => chosen.some(meant))?.answer(frame) ?? null;
  }

  #asked({ awaited }: Pair, frame: Buffer): void {
    const request = this.#protocol?.request(frame);
    if (!request) return;
    const rule = this.#rules.find(({ left, chosen }) => left > 0 && chosen.kind === request.kind && holds(frame, chosen));
    if (!rule) return;
    rule.left -= 1;
    awaited.set(request.id, rule);
  }

  #answered(pair: Pair, frame: Buffer, lane: Lane): void {
    const id = this.#protocol?.answerTo(frame) ?? -1;
    const rule = pair.awaited.get(id);
    pair.awaited.delete(id);
    const fate = rule?.fate ?? 0;
    if (fate === 'cut') this.#break(pair);
    else if (typeof fate === 'number') lane.send(frame, this.#delayMs + fate);
    if (rule?.left === 0) rule.happened();
  }

  #break(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  }
}

function holds(frame: Buffer, { holding, lacking }: Chosen): boolean {
  return (holding === undefined || frame.includes(holding)) && (lacking === undefined || !frame.includes(lacking));
}
