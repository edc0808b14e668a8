/**
 * Imports into the registry on MongoDB.
 *
 * There are no transactions, so "all or nothing" is kept in two steps. First everything is checked against what is registered,
 * and any fault refuses the whole. Then the document is kept in MongoDB, and its entries are written one by one, each in a way
 * that can be repeated. A crash in between leaves the first part written; the next node that looks (within about a minute) finishes
 * it from the kept document. What this does not give, and the embedded registry does: others see the entries appear one after the
 * other (devices last, so that no log is judged by half of it), and where somebody changes an entry between check and write so that
 * it can no longer be written, the rest is written and the import is answered with what was left out.
 */
import { Worker } from 'node:worker_threads';
import type { Code } from '../domain/codes.ts';
import { formatInstant } from '../domain/timestamp.ts';
import { MongoConnection, MongoUnavailable } from '../mongo/mongo-connection.ts';
import { Problem, type ProblemExtra } from '../server/problem.ts';
import { readImport } from './import.ts';
import { ImportApplication } from './mongo-import-apply.ts';
import { ImportJournal, type LeftAlone } from './mongo-import-journal.ts';
import { importing } from './refusals.ts';
import type { ImportCounts, ImportFormat } from './registry.ts';

/**
 * Imports on this thread, which it may block for seconds.
 * @param log Told what became of an import of somebody else that was cut short, where it was finished here first.
 * @throws Problem that names every fault; MongoUnavailable
 */
export async function importIntoMongo(
  url: string,
  body: Uint8Array,
  format: ImportFormat,
  now: number,
  log: (message: string) => void = () => {},
): Promise<ImportCounts> {
  const plan = readImport(body, format);
  const connection = new MongoConnection(url);
  try {
    const journal = await ImportJournal.begin(connection, format, now, (left) => finishImport(connection, left, log));
    const application = new ImportApplication(connection, plan, now);
    try {
      await application.check();
    } catch (error) {
      await journal.release();
      throw error;
    }
    try {
      await journal.keep(body);
      const left = await writeAll(application);
      await journal.release();
      if (left) throw left;
    } catch (error) {
      // What failed is finished when the lease is over.
      journal.abandon();
      throw error;
    }
    return application.counts;
  } finally {
    await connection.close();
  }
}

/** Finishes an import that a crash cut short. What can no longer be written is told and left out. */
async function finishImport(connection: MongoConnection, { body, format, now }: LeftAlone, log: (message: string) => void): Promise<void> {
  const left = await writeAll(new ImportApplication(connection, readImport(body, format), now));
  log(`an import that was cut short on ${formatInstant(now)} is finished${left ? `. ${left.detail}` : ''}`);
}

/** @returns what could not be written any more. */
async function writeAll(application: ImportApplication): Promise<Problem | null> {
  const faults = await application.apply();
  await application.noteAll();
  return faults.problem('The import was written but for what others changed meanwhile');
}

export interface ImportJob {
  readonly url: string;
  /** Null: finish one that was left alone. */
  readonly document: { readonly body: Uint8Array; readonly format: ImportFormat; readonly now: number } | null;
}

export type ImportResult = { readonly log: readonly string[] } & (
  | { readonly counts: ImportCounts | null }
  | { readonly refused: { readonly code: Code; readonly detail: string; readonly extra: ProblemExtra } }
  | { readonly unavailable: string }
);

/** Does a job; runs on the import's own thread. */
export async function runImportJob({ url, document }: ImportJob): Promise<ImportResult> {
  const log: string[] = [];
  const tell = (message: string): void => void log.push(message);
  try {
    if (document) return { log, counts: await importIntoMongo(url, document.body, document.format, document.now, tell) };
    const connection = new MongoConnection(url);
    try {
      await ImportJournal.finishLeftAlone(connection, (left) => finishImport(connection, left, tell));
      return { log, counts: null };
    } finally {
      await connection.close();
    }
  } catch (error) {
    if (error instanceof MongoUnavailable) return { log, unavailable: error.message };
    if (!(error instanceof Problem)) throw error;
    return { log, refused: { code: error.code, detail: error.detail, extra: error.extra } };
  }
}

/** The most memory that reading 64 MiB may take. */
const MAX_HEAP_MB = 1_536;
/** How often a node looks for an import that was left alone. */
const LOOK_EVERY_MS = 15_000;

/** The imports of one node: runs them on a thread of their own, one at a time, and finishes those that were left alone. */
export class ImportKeeper {
  readonly #url: string;
  readonly #connection: MongoConnection;
  readonly #log: (message: string) => void;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<unknown> | null = null;

  constructor(url: string, connection: MongoConnection, log: (message: string) => void) {
    this.#url = url;
    this.#connection = connection;
    this.#log = log;
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  async run(body: Uint8Array<ArrayBuffer>, format: ImportFormat, now: number): Promise<ImportCounts> {
    if (this.#running) throw importing();
    const result = await this.#inWorker({ url: this.#url, document: { body, format, now } });
    if (!result) throw new Error('an import ended without its counts');
    return result;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running?.catch(() => {});
  }

  /** Cheap while there is nothing: one look at one document. */
  async #look(): Promise<void> {
    if (this.#running) return;
    try {
      const found = await this.#connection.ask(LOOK_EVERY_MS, (db) =>
        db.collection<{ _id: string }>('imports').findOne({ _id: 'running' }),
      );
      if (found && !this.#running) await this.#inWorker({ url: this.#url, document: null });
    } catch (error) {
      // That MongoDB is away is told by the connection.
      if (!(error instanceof MongoUnavailable)) this.#log(`an import that was cut short: ${(error as Error).message}`);
    }
  }

  #inWorker(job: ImportJob): Promise<ImportCounts | null> {
    const body = job.document?.body;
    const whole = body !== undefined && body.byteLength === body.buffer.byteLength && body.byteLength > 0;
    const worker = new Worker(new URL('./mongo-import-worker.ts', import.meta.url), {
      workerData: job,
      transferList: whole ? [body.buffer as ArrayBuffer] : [],
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    const done = new Promise<ImportCounts | null>((resolve, reject) => {
      worker.once('message', (result: ImportResult) => {
        for (const line of result.log) this.#log(line);
        if ('counts' in result) resolve(result.counts);
        else if ('refused' in result) reject(new Problem(result.refused.code, result.refused.detail, result.refused.extra));
        else reject(new Problem('unavailable', 'The registry cannot be asked now; send the same import again.', { retryAfter: 5 }));
      });
      worker.once('error', (error: unknown) => {
        const tooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
        reject(tooLarge ? new Problem('too_large', 'The document takes more memory than there is for it; send it in parts.') : error);
      });
      worker.once('exit', (code) => reject(new Error(`the import ended with exit code ${code} and without a word`)));
    });
    this.#running = done.finally(() => {
      this.#running = null;
    });
    this.#running.catch(() => {});
    return done;
  }
}
