/** Reads an import document on a thread of its own and hands back what it asks for, or why it is refused. */
import { parentPort, workerData } from 'node:worker_threads';
import { type ImportPlan, readImport } from '../registry/import.ts';
import type { ImportFormat } from '../registry/registry.ts';
import { Problem } from '../server/problem.ts';

export type Reading =
  | { readonly plan: ImportPlan }
  | { readonly refused: { readonly code: string; readonly detail: string; readonly extra: object } };

const { body, format } = workerData as { readonly body: Uint8Array; readonly format: ImportFormat };

function read(): Reading {
  try {
    return { plan: readImport(body, format) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { refused: { code: error.code, detail: error.detail, extra: error.extra } };
  }
}

parentPort?.postMessage(read());
