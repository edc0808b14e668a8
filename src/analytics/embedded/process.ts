/** The service's side of the analytics process: starts it, keeps it running, asks it. */
import { type ChildProcess, fork } from 'node:child_process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AnalyticsQueries, QueryParams } from '../../query/analytics-port.ts';
import { Problem } from '../../server/problem.ts';
import { type LoaderStatus, NOTHING_LOADED } from '../loader.ts';
import { MAX_QUERY_SECONDS } from '../query.ts';
import type { ChildOptions, FromChild, ToChild } from './messages.ts';
import { queryProblem } from '../query-problem.ts';
import { QuerySlots } from '../query-slots.ts';

const FIRST_BACK_OFF_MS = 200;
const MAX_BACK_OFF_MS = 5_000;
/** A process that lived this long was well: the next restart begins with the short back-off again. */
const WELL_AFTER_MS = 30_000;
/** A query bounds itself; one that is still out after this says that the process is stuck. */
const STUCK_AFTER_MS = MAX_QUERY_SECONDS * 1000 + 15_000;
const START_WITHIN_MS = 45_000;
/** 4 queries and the loader each hold a thread of libuv while they run. */
const THREADS = '10';
const PARSE_AT_ONCE = 1_000;

export interface EmbeddedAnalyticsOptions extends ChildOptions {
  readonly log?: (message: string) => void;
  /** Further environment of the process, for tests. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface AnalyticsStatus extends LoaderStatus {
  readonly state: 'starting' | 'ready' | 'stopped';
  readonly restarts: number;
  /** Of the process that runs now. */
  readonly pid: number | null;
}

interface Asked {
  readonly resolve: (lines: string) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: NodeJS.Timeout;
}

export class EmbeddedAnalytics implements AnalyticsQueries {
  readonly #options: EmbeddedAnalyticsOptions;
  readonly #slots = new QuerySlots();
  readonly #asked = new Map<number, Asked>();
  #child: ChildProcess | null = null;
  #state: AnalyticsStatus['state'] = 'stopped';
  #loader: LoaderStatus = NOTHING_LOADED;
  #restarts = 0;
  #backOff = FIRST_BACK_OFF_MS;
  #retry: NodeJS.Timeout | null = null;
  #lastId = 0;
  #starting: PromiseWithResolvers<void> | null = null;

  constructor(options: EmbeddedAnalyticsOptions) {
    this.#options = options;
  }

  /**
   * Resolves when queries are answered. Rejects when that takes longer than 45 s; it goes on trying nevertheless, until `stop`,
   * so that the caller may serve everything else meanwhile.
   */
  async start(): Promise<void> {
    if (this.#state !== 'stopped') throw new Error('analytics was started already');
    this.#state = 'starting';
    const starting = Promise.withResolvers<void>();
    this.#starting = starting;
    const timer = setTimeout(
      () =>
        starting.reject(new Error(`analytics is not ready after ${START_WITHIN_MS / 1000} s: ${this.#loader.lastError ?? 'no answer'}`)),
      START_WITHIN_MS,
    );
    this.#fork();
    try {
      await starting.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  status(): AnalyticsStatus {
    return { ...this.#loader, state: this.#state, restarts: this.#restarts, pid: this.#child?.pid ?? null };
  }

  async rows<Row>(sql: string, params: QueryParams): Promise<Row[]> {
    if (this.#state !== 'ready') throw away();
    await this.#slots.take();
    let lines: string;
    try {
      lines = await this.#ask(sql, params);
    } finally {
      this.#slots.give();
    }
    return parseLines<Row>(lines);
  }

  /** Ends the batch being loaded and the queries being answered, or kills the process after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.#state = 'stopped';
    if (this.#retry) clearTimeout(this.#retry);
    this.#slots.refuseWaiting(away());
    this.#starting?.reject(new Error('analytics was stopped before it was ready'));
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
    this.#send({ type: 'stop' });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    await gone;
    clearTimeout(timer);
  }

  #fork(): void {
    const { directory, feedFile, env } = this.#options;
    let child: ChildProcess;
    try {
      child = fork(new URL('./child.ts', import.meta.url), [JSON.stringify({ directory, feedFile } satisfies ChildOptions)], {
        serialization: 'advanced',
        // The service's own output stays clean: chDB writes to standard output when it is unhappy.
        stdio: ['ignore', 2, 2, 'ipc'],
        env: { ...process.env, UV_THREADPOOL_SIZE: THREADS, TZ: 'UTC', ...env },
      });
    } catch (error) {
      this.#died(0, (error as Error).message);
      return;
    }
    const born = performance.now();
    this.#child = child;
    child.on('message', (message) => this.#hear(message as FromChild));
    // A process that could not be started, or a message that could not be sent: 'exit' or the query's own timer follows.
    child.on('error', (error) => this.#log(`the analytics process: ${error.message}`));
    child.once('close', (code, signal) => this.#died(performance.now() - born, signal ?? `code ${code}`));
  }

  #died(livedMs: number, how: string): void {
    this.#child = null;
    for (const [id, asked] of this.#asked) this.#settle(id, () => asked.reject(away()));
    this.#slots.refuseWaiting(away());
    if (this.#state === 'stopped') return;
    this.#state = 'starting';
    if (livedMs > WELL_AFTER_MS) this.#backOff = FIRST_BACK_OFF_MS;
    this.#log(`the analytics process ended (${how}); it is started again in ${this.#backOff} ms`);
    this.#retry = setTimeout(() => {
      this.#restarts += 1;
      this.#fork();
    }, this.#backOff);
    this.#backOff = Math.min(this.#backOff * 2, MAX_BACK_OFF_MS);
  }

  #hear(message: FromChild): void {
    if (message.type === 'status') this.#loader = message.status;
    else if (message.type === 'log') {
      this.#log(message.message);
      if (this.#state === 'starting') this.#loader = { ...this.#loader, lastError: message.message };
    } else if (message.type === 'ready') {
      if (this.#state === 'stopped') return;
      this.#state = 'ready';
      this.#loader = { ...this.#loader, lastError: null };
      this.#starting?.resolve();
    } else {
      const asked = this.#asked.get(message.id);
      if (message.type === 'result') this.#settle(message.id, () => asked?.resolve(message.lines));
      else this.#settle(message.id, () => asked?.reject(this.#problem(message.code, message.message)));
    }
  }

  #problem(code: string | null, message: string): Problem {
    const problem = queryProblem(code);
    if (problem.code === 'unavailable') this.#log(`a query failed (${code}): ${message}`);
    return problem;
  }

  #ask(sql: string, params: QueryParams): Promise<string> {
    if (this.#state !== 'ready' || !this.#child) return Promise.reject(away());
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#lastId += 1;
    const id = this.#lastId;
    const timer = setTimeout(() => {
      this.#log('a query got no answer: the analytics process is killed and started again');
      this.#child?.kill('SIGKILL');
    }, STUCK_AFTER_MS);
    this.#asked.set(id, { resolve, reject, timer });
    this.#send({ type: 'query', id, sql, params });
    return promise;
  }

  #settle(id: number, tell: () => void): void {
    const asked = this.#asked.get(id);
    if (!asked) return;
    clearTimeout(asked.timer);
    this.#asked.delete(id);
    tell();
  }

  #send(message: ToChild): void {
    // With a callback a failed send is no 'error' of the process; its 'close' follows and settles what was asked.
    this.#child?.send(message, (error) => {
      if (error) this.#log(`the analytics process took no message: ${error.message}`);
    });
  }

  #log(message: string): void {
    this.#options.log?.(message);
  }
}

function away(): Problem {
  return new Problem('unavailable', 'Reports cannot be answered at the moment; ask again in a few seconds.', { retryAfter: 3 });
}

/** Gives up its turn now and then: a large report must not hold up the thread that answers devices. */
async function parseLines<Row>(lines: string): Promise<Row[]> {
  const rows: Row[] = [];
  let at = 0;
  while (at < lines.length) {
    const end = lines.indexOf('\n', at);
    const until = end < 0 ? lines.length : end;
    rows.push(JSON.parse(lines.slice(at, until)) as Row);
    at = until + 1;
    if (rows.length % PARSE_AT_ONCE === 0) await nextTurn();
  }
  return rows;
}
