import { Worker } from 'node:worker_threads';
import { Problem } from '../server/problem.ts';
import type { Scope } from '../server/access.ts';
import type {
  FeedPage,
  FoundPlay,
  PlayArchive,
  QuarantineGroups,
  QuarantineGroupsQuery,
  QuarantineItem,
  QuarantineQuery,
} from './archive-port.ts';
import type { ReaderCall, ReaderResult } from './reader-worker.ts';

/** Calls waiting for the reader thread; more is answered 503. */
const MAX_WAITING = 256;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The reader thread, as the routes see it. */
export class ArchiveReader implements PlayArchive {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;

  /** @param onFailure The thread died; reading is over. @param onFault A call failed for a reason of ours. */
  constructor(file: string, onFailure: (error: Error) => void, onFault: (message: string) => void) {
    this.#worker = new Worker(new URL('./reader-worker.ts', import.meta.url), { name: 'reader', workerData: { file } });
    this.#worker.on('error', onFailure);
    this.#worker.on('message', (result: ReaderResult) => {
      const pending = this.#pending.get(result.id);
      this.#pending.delete(result.id);
      if (!('error' in result)) pending?.resolve(result.value);
      else {
        onFault(result.error);
        pending?.reject(result.damaged ? damaged() : unavailable());
      }
    });
  }

  play(logId: string, scope: Scope): Promise<FoundPlay | 'unsettled' | null> {
    return this.#call('play', [logId, scope]);
  }

  feed(after: number, limit: number, scope: Scope): Promise<FeedPage> {
    return this.#call('feed', [after, limit, scope]);
  }

  quarantine(query: QuarantineQuery): Promise<readonly QuarantineItem[]> {
    return this.#call('quarantine', [query]);
  }

  quarantineGroups(query: QuarantineGroupsQuery): Promise<QuarantineGroups> {
    return this.#call('quarantineGroups', [query]);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #call<T>(method: keyof PlayArchive, args: readonly unknown[]): Promise<T> {
    if (this.#pending.size >= MAX_WAITING) {
      return Promise.reject(new Problem('overloaded', 'Too many are reading; ask again later.', { retryAfter: 1 }));
    }
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#worker.postMessage({ id, method, args } satisfies ReaderCall);
    });
  }
}

function unavailable(): Problem {
  return new Problem('unavailable', 'The archive cannot be read right now; ask again later.', { retryAfter: 2 });
}

function damaged(): Problem {
  return new Problem('internal', 'A stored record that this answer needs is damaged; the log of the service tells the operator which one.');
}
