/** Imports into the registry on SQLite: everything in one transaction, or nothing. */
import { Worker } from 'node:worker_threads';
import type { Code } from '../domain/codes.ts';
import { Problem, type ProblemExtra } from '../server/problem.ts';
import { inTransaction, openForWriting } from './database.ts';
import { ImportFaults } from './import-faults.ts';
import { type ImportPlan, type Planned, readImport } from './import.ts';
import type { ImportCounts, ImportFormat } from './registry.ts';
import { asProblem, RegistryTables } from './sqlite-tables.ts';

/**
 * Imports on this thread, which it may block for seconds. Waits up to 10 s for whoever else is writing.
 * @throws Problem that names every fault.
 */
export function importIntoFile(file: string, body: Uint8Array, format: ImportFormat, now: number): ImportCounts {
  const plan = readImport(body, format);
  const db = openForWriting(file);
  try {
    const tables = new RegistryTables(db);
    return inTransaction(db, () => applyPlan(tables, plan, now));
  } catch (error) {
    throw asProblem(error);
  } finally {
    db.close();
  }
}

/** Stores come before the devices that stand in them, devices before their keys. */
function applyPlan({ entries, devices, keys }: RegistryTables, plan: ImportPlan, now: number): ImportCounts {
  const faults = new ImportFaults();
  const each = <T>(list: readonly Planned<T>[], apply: (id: string, value: T) => void): number => {
    for (const { place, id, value } of list) {
      try {
        apply(id, value);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        faults.addProblem(place, error);
      }
    }
    return list.length;
  };
  const counts = {
    stores: each(plan.stores, (id, fields) => entries.store.put(id, fields, now)),
    devices: each(plan.devices, (id, device) => {
      if ('put' in device) devices.put(id, device.put, now);
      else devices.putHistory(id, device.history);
    }),
    keys: each(plan.keys, (deviceId, { key, compromisedAt }) => {
      keys.add(deviceId, key);
      if (compromisedAt !== null) keys.compromise(deviceId, key.keyId, compromisedAt);
    }),
    campaigns: each(plan.campaigns, (id, fields) => entries.campaign.put(id, fields, now)),
    contents: each(plan.contents, (id, fields) => entries.content.put(id, fields, now)),
  };
  faults.throwIfAny();
  return counts;
}

export interface ImportJob {
  readonly file: string;
  readonly body: Uint8Array;
  readonly format: ImportFormat;
  readonly now: number;
}

export type ImportResult =
  | { readonly counts: ImportCounts }
  | { readonly refused: { readonly code: Code; readonly detail: string; readonly extra: ProblemExtra } };

/** The most memory that reading 64 MiB may take. */
const MAX_HEAP_MB = 1_536;

/** Imports on a thread of its own, so that this one goes on answering. `body` is emptied where it owns its memory. */
export function importInWorker(file: string, body: Uint8Array<ArrayBuffer>, format: ImportFormat, now: number): Promise<ImportCounts> {
  const whole = body.byteLength === body.buffer.byteLength && body.byteLength > 0;
  const job: ImportJob = { file, body, format, now };
  const worker = new Worker(new URL('./sqlite-import-worker.ts', import.meta.url), {
    workerData: job,
    transferList: whole ? [body.buffer] : [],
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  return new Promise((resolve, reject) => {
    worker.once('message', (result: ImportResult) => {
      if ('counts' in result) resolve(result.counts);
      else reject(new Problem(result.refused.code, result.refused.detail, result.refused.extra));
    });
    worker.once('error', (error: unknown) => {
      const tooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      reject(tooLarge ? new Problem('too_large', 'The document takes more memory than there is for it; send it in parts.') : error);
    });
    worker.once('exit', (code) => reject(new Error(`the import ended with exit code ${code} and without a word`)));
  });
}
