/** The thread of one import into MongoDB: does it, says how it went, ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { type ImportJob, runImportJob } from './mongo-import.ts';

parentPort?.postMessage(await runImportJob(workerData as ImportJob), []);
