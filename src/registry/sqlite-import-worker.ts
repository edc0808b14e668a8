/** The thread of one import: does it, says how it went, ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { Problem } from '../server/problem.ts';
import { type ImportJob, type ImportResult, importIntoFile } from './sqlite-import.ts';

const { file, body, format, now } = workerData as ImportJob;

function run(): ImportResult {
  try {
    return { counts: importIntoFile(file, body, format, now) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { refused: { code: error.code, detail: error.detail, extra: error.extra } };
  }
}

parentPort?.postMessage(run(), []);
