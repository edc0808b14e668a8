/** A judge thread: takes jobs from the HTTP thread, hands judged logs straight to the writer thread. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { failpoint } from '../failpoints.ts';
import { release } from '../memory.ts';
import { type JudgeSettings, judgeRequests } from './judge-request.ts';
import type { Job, JobRequest } from './messages.ts';
import { Packer } from './pack.ts';
import type { RegistryView } from './registry-view.ts';
import { ViewAges } from './view-ages.ts';

/** Where a judge looks devices, campaigns and contents up; plain data, since it crosses a thread border. */
export type RegistryPlace =
  | { readonly engine: 'sqlite'; readonly file: string }
  /** `ages`: where the age of this judge's view is told, at place `judge`. */
  | { readonly engine: 'mongodb'; readonly url: string; readonly ages: SharedArrayBuffer; readonly judge: number };

export interface JudgeWorkerData {
  readonly registry: RegistryPlace;
  readonly settings: JudgeSettings;
  readonly writer: MessagePort;
}

const { registry, settings, writer } = workerData as JudgeWorkerData;

async function openView(): Promise<RegistryView> {
  if (registry.engine === 'mongodb') {
    const { MongoRegistryView } = await import('../registry/mongo-view.ts');
    const ages = new ViewAges(registry.ages);
    return new MongoRegistryView(registry.url, { onLook: (ageMs) => ages.looked(registry.judge, ageMs) });
  }
  const { SqliteRegistryView } = await import('../registry/sqlite-view.ts');
  return new SqliteRegistryView(registry.file);
}

const opened = openView();
// Jobs are taken one after another: a registry that must be waited for holds up this thread's jobs, not their order.
let tail: Promise<void> = Promise.resolve();
parentPort?.on('message', (message: Job) => {
  tail = tail.then(() => judgeJob(message));
  tail.catch((error: unknown) => {
    // A fault of ours: the thread dies with it, and the service with the thread. Nothing was acknowledged.
    throw error;
  });
});

async function judgeJob({ job, bodies, requests }: Job): Promise<void> {
  const view = await opened;
  const received = requests.map((request) => ({ request, body: new Uint8Array(bodies, request.at, request.length) }));
  const packer = new Packer(bodies.byteLength);
  for (const [i, judged] of (await judgeRequests(received, view, settings)).entries()) {
    packer.add(requests[i] as JobRequest, judged);
    if (judged.problem === null && judged.memory) release(judged.memory);
  }
  release(new Uint8Array(bodies));
  failpoint('after-verify');
  const { message, transfer } = packer.finish(job);
  writer.postMessage(message, transfer);
}
