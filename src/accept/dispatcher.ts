/**
 * The HTTP thread's side of accept: takes bodies, shares them out over the judge threads, and waits for the writer's answers.
 * Overload is answered here, before any work is done for it.
 */
import path from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Config } from '../config.ts';
import { Counters } from '../counters.ts';
import type { Code } from '../domain/codes.ts';
import { REGISTRY_FILE } from '../registry/database.ts';
import { Problem } from '../server/problem.ts';
import type { JudgeWorkerData, RegistryPlace } from './judge-worker.ts';
import type { Answers, Job, JobRequest } from './messages.ts';
import { Pace } from './pace.ts';
import { Underway } from './underway.ts';
import { ViewAges } from './view-ages.ts';
import type { WriterOrder } from './writer-engines.ts';
import { Writer, type WriterData, type WriterNote } from './writer.ts';

/** Always taken, however long they wait: the contract's 64 batches and 128 singles. */
const ALWAYS_BATCHES = 64;
const ALWAYS_SINGLES = 128;
/** Single logs that travel to a judge together. Few: while a judge works through many, those whose turn has passed wait with the last one. */
const GATHER_LOGS = 16;
const GATHER_MS = 1;
/** A person has to look first. */
const REFUSED_RETRY_SECONDS = 60;

export interface Response {
  readonly status: number;
  /** A short one is a text: it goes out in one piece with its headers, where bytes would be written behind them. */
  readonly body: Buffer | string;
}

interface Waiting {
  readonly batch: boolean;
  readonly receivedAt: number;
  /** `performance.now()` at its arrival. */
  readonly since: number;
  readonly bytes: number;
  readonly resolve: (response: Response) => void;
  readonly reject: (error: Error) => void;
}

interface Single {
  readonly id: number;
  readonly body: Uint8Array;
  readonly receivedAt: number;
  readonly deviceTime: string | null;
}

/** The writer, wherever it runs. */
interface WriterHandle {
  tell(order: WriterOrder): void;
  terminate(): Promise<void>;
}

/** The client of Kafka works in the main thread only. */
function inThisThread(data: WriterData, hear: (message: Answers | WriterNote) => void): WriterHandle {
  const writer = new Writer(data, hear);
  void writer.start();
  return { tell: (order) => writer.tell(order), terminate: async () => {} };
}

export interface DispatcherEvents {
  readonly onNote: (note: WriterNote) => void;
}

export class Dispatcher {
  /** What was refused before a judge saw it. Counted apart: the shared counters have one writing thread, and it is not this one. */
  readonly unread = new Counters();
  readonly #judges: { readonly worker: Worker; inFlight: number }[] = [];
  readonly #writer: WriterHandle;
  readonly #writerClosed = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #jobs = new Map<number, { readonly judge: number; readonly bytes: number }>();
  #singles: Single[] = [];
  #gather: NodeJS.Timeout | null = null;
  #nextId = 1;
  #nextJob = 1;
  #batches = 0;
  #bytes = 0;
  readonly #underway = new Underway();
  readonly #pace: Pace;
  readonly #ages: ViewAges | null;
  #stopping = false;
  /** Why nothing is taken, a sentence for devices; null: it is. */
  #refusal: string | null = null;
  /** A thread ended that must not: nothing can be answered any more. */
  #dead = false;
  /** Threads may end from now on. */
  #closed = false;

  constructor(config: Config, counters: Counters, events: DispatcherEvents) {
    this.#pace = new Pace(config.maxWaitMs);
    const { rules, batchLogs, requireDeviceTime, registryMaxAgeMs } = config;
    const settings = { rules, batchLogs, requireDeviceTime, registryMaxAgeMs };
    this.#ages = config.engines ? ViewAges.of(config.verifyWorkers) : null;
    const channels = Array.from({ length: config.verifyWorkers }, () => new MessageChannel());
    const ports = channels.map(({ port2 }) => port2);
    const { profile, dataDir, quarantinePerDevice, diskReserveBytes, engines } = config;
    const writerData: WriterData = {
      judges: ports,
      counters: counters.shared,
      underway: this.#underway.shared,
      options: { profile, dataDir, quarantinePerDevice, diskReserveBytes, maxAgeMs: rules.maxAgeMs, engines },
    };
    const hear = (message: Answers | WriterNote): void => {
      if (message.type === 'answers') this.#answered(message);
      else {
        if (message.type === 'closed') this.#writerClosed.resolve();
        events.onNote(message);
      }
    };
    this.#writer = profile === 'cluster' ? inThisThread(writerData, hear) : this.#inItsThread(writerData, hear, events);
    for (const [judge, { port1 }] of channels.entries()) {
      const workerData: JudgeWorkerData = { registry: registryPlace(config, this.#ages, judge), settings, writer: port1 };
      const worker = new Worker(new URL('./judge-worker.ts', import.meta.url), { name: 'judge', workerData, transferList: [port1] });
      this.#judges.push({ worker, inFlight: 0 });
      this.#watch(worker, 'judge', events);
    }
  }

  /** The earliest receipt among the requests that are not answered yet; null when there is none. */
  get oldestReceivedAt(): number | null {
    let oldest: number | null = null;
    // All of them: the wall clock may have been set back since the first one came.
    for (const { receivedAt } of this.#waiting.values()) if (oldest === null || receivedAt < oldest) oldest = receivedAt;
    return oldest;
  }

  get inFlight(): { readonly requests: number; readonly bytes: number } {
    return { requests: this.#waiting.size, bytes: this.#bytes };
  }

  /** How old the judges' view of the registry is, milliseconds: of the oldest one. Null before the first; 0 where it is never old. */
  get viewAgeMs(): number | null {
    return this.#ages ? this.#ages.oldestMs() : 0;
  }

  /** Takes no logs from now on, and says why; null: takes them again. */
  refuse(why: string | null): void {
    this.#refusal = why;
  }

  /** Whether one more request is taken now. @throws Problem overloaded, or unavailable while the service stops or refuses all */
  admit(batch: boolean): void {
    if (this.#stopping || this.#dead) throw stopped();
    if (this.#refusal !== null) throw new Problem('unavailable', this.#refusal, { retryAfter: REFUSED_RETRY_SECONDS });
    const singles = this.#waiting.size - this.#batches;
    if (batch ? this.#batches < ALWAYS_BATCHES : singles < ALWAYS_SINGLES) return;
    // Ids are given in the order of arrival, and a Map keeps it.
    const oldest = this.#waiting.values().next().value;
    const waitMs = oldest ? this.#pace.tooLong(this.#bytes, oldest.since, performance.now()) : null;
    if (waitMs !== null) throw overloaded(waitMs);
  }

  /** Counts a request that was refused before its logs were looked at: how many there were in a batch nobody knows. */
  refusedUnread(code: Code, batch: boolean): void {
    this.unread.addRefused(code, 1);
    if (!batch) this.unread.add('notKept', 1);
  }

  /**
   * @param body Owns its ArrayBuffer, which is transferred.
   * @returns The answer, once everything acknowledged in it is durable.
   */
  submit(body: Uint8Array<ArrayBuffer>, batch: boolean, deviceTime: string | null, receivedAt: number): Promise<Response> {
    this.admit(batch);
    const id = this.#nextId;
    this.#nextId += 1;
    const since = performance.now();
    if (this.#waiting.size === 0) this.#pace.begin(since);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { batch, receivedAt, since, bytes: body.length, resolve, reject });
      this.#bytes += body.length;
      if (batch) {
        this.#batches += 1;
        this.#send(body.buffer, [{ id, batch, at: 0, length: body.length, receivedAt, deviceTime }]);
      } else {
        this.#singles.push({ id, body, receivedAt, deviceTime });
        if (this.#singles.length >= GATHER_LOGS || this.#judges.some(({ inFlight }) => inFlight === 0)) this.#sendSingles();
        else this.#gather ??= setTimeout(() => this.#sendSingles(), GATHER_MS);
      }
    });
  }

  /** Hands an order to the writer. */
  tell(order: WriterOrder): void {
    this.#writer.tell(order);
  }

  /** Answers what is in flight, settles everything, closes the journal. */
  async close(): Promise<void> {
    this.#stopping = true;
    while (this.#waiting.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    if (!this.#dead) {
      this.tell({ type: 'stop' });
      await this.#writerClosed.promise;
    }
    this.#closed = true;
    await Promise.all(this.#judges.map(({ worker }) => worker.terminate()));
    await this.#writer.terminate();
  }

  #inItsThread(workerData: WriterData, hear: (message: Answers | WriterNote) => void, events: DispatcherEvents): WriterHandle {
    const worker = new Worker(new URL('./writer-worker.ts', import.meta.url), {
      name: 'writer',
      workerData,
      transferList: [...workerData.judges],
    });
    worker.on('message', hear);
    worker.once('exit', () => this.#writerClosed.resolve());
    this.#watch(worker, 'writer', events);
    return { tell: (order) => worker.postMessage(order), terminate: async () => void (await worker.terminate()) };
  }

  #sendSingles(): void {
    if (this.#gather) clearTimeout(this.#gather);
    this.#gather = null;
    const singles = this.#singles;
    if (singles.length === 0) return;
    this.#singles = [];
    const bodies = new Uint8Array(singles.reduce((sum, { body }) => sum + body.length, 0));
    let at = 0;
    const requests = singles.map(({ id, body, receivedAt, deviceTime }) => {
      bodies.set(body, at);
      at += body.length;
      return { id, batch: false, at: at - body.length, length: body.length, receivedAt, deviceTime };
    });
    this.#send(bodies.buffer, requests);
  }

  #send(bodies: ArrayBuffer, requests: readonly JobRequest[]): void {
    const bytes = bodies.byteLength;
    let judge = 0;
    for (const [i, { inFlight }] of this.#judges.entries()) {
      if (inFlight < (this.#judges[judge]?.inFlight ?? 0)) judge = i;
    }
    const chosen = this.#judges[judge];
    if (!chosen) throw new Error('there is no judge thread');
    chosen.inFlight += Math.max(1, bytes);
    const job = this.#nextJob;
    this.#nextJob += 1;
    this.#jobs.set(job, { judge, bytes: Math.max(1, bytes) });
    const message: Job = { type: 'job', job, bodies, requests };
    this.#underway.sent();
    chosen.worker.postMessage(message, [bodies]);
  }

  #answered({ job, answers, bytes }: Answers): void {
    const sent = this.#jobs.get(job);
    this.#jobs.delete(job);
    const judge = sent && this.#judges[sent.judge];
    if (judge && sent) judge.inFlight -= sent.bytes;
    let done = 0;
    for (const { id, status, at, length } of answers) {
      const waiting = this.#waiting.get(id);
      if (!waiting) continue;
      this.#waiting.delete(id);
      this.#bytes -= waiting.bytes;
      done += waiting.bytes;
      if (waiting.batch) this.#batches -= 1;
      const body = Buffer.from(bytes, at, length);
      waiting.resolve({ status, body: waiting.batch ? body : body.toString('utf8') });
    }
    this.#pace.done(done, performance.now());
    // A judge came free: what was gathered meanwhile need not wait for its timer.
    if (this.#singles.length > 0 && judge?.inFlight === 0) this.#sendSingles();
  }

  #watch(worker: Worker, name: string, events: DispatcherEvents): void {
    worker.on('error', (error: Error) =>
      events.onNote({ type: 'fatal', message: `the ${name} thread failed: ${error.stack ?? error.message}` }),
    );
    worker.on('exit', (code) => {
      if (this.#closed || (this.#stopping && code === 0)) return;
      events.onNote({ type: 'fatal', message: `the ${name} thread ended by itself` });
      this.#giveUp();
    });
  }

  /** Whoever waits hears that the outcome is unknown. */
  #giveUp(): void {
    this.#dead = true;
    for (const { reject } of this.#waiting.values()) reject(stopped());
    this.#waiting.clear();
    this.#bytes = 0;
    this.#batches = 0;
  }
}

function stopped(): Problem {
  return new Problem('unavailable', 'The service is being stopped; send the same logs again.', { retryAfter: 5 });
}

function registryPlace({ engines, dataDir }: Config, ages: ViewAges | null, judge: number): RegistryPlace {
  if (engines && ages) return { engine: 'mongodb', url: engines.mongodbUrl, ages: ages.shared, judge };
  return { engine: 'sqlite', file: path.join(dataDir, REGISTRY_FILE) };
}

function overloaded(waitMs: number): Problem {
  const retryAfter = Math.max(1, Math.min(60, Math.ceil(waitMs / 1000)));
  return new Problem('overloaded', `More is in flight than can be answered in time; send again in ${retryAfter} s.`, { retryAfter });
}
