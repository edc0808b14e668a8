/** Sends requests: as fast as answers come (closed loop), or at a rate whatever comes (open loop). */
import { Connections } from './connections.ts';
import type { Load } from './messages.ts';
import type { Outcome, Recording } from './recording.ts';
import type { LoadRequest, Requests } from './requests.ts';

/** An open loop lets so many requests be out at once; those due beyond that are counted and not sent. */
const MAX_OUT = 4_096;

/** Resolves when the last request was answered. */
export async function send(load: Load, requests: Requests, recording: Recording): Promise<void> {
  const connections = new Connections(load.url, load.connections);
  const shoot = (request: LoadRequest, since: number, done: () => void): void => dispatch(connections, request, since, recording, done);
  try {
    await (load.rate === null ? closedLoop(load, requests, shoot) : openLoop(load, load.rate, requests, recording, shoot));
  } finally {
    connections.close();
  }
}

type Shoot = (request: LoadRequest, since: number, done: () => void) => void;

function closedLoop({ batch, connections, seconds }: Load, requests: Requests, shoot: Shoot): Promise<void> {
  const end = performance.now() + seconds * 1000;
  return new Promise((resolve) => {
    let running = connections;
    const next = (): void => {
      const now = performance.now();
      if (now < end) return shoot(requests.take(batch), now, next);
      running -= 1;
      if (running === 0) resolve();
    };
    for (let i = 0; i < connections; i += 1) next();
  });
}

/**
 * Requests are due at random instants (exponential gaps), as those of many screens that know nothing of each other. Latency counts
 * from that instant, so a request that had to wait for a connection, or for this process, is not let off.
 */
function openLoop({ batch, seconds }: Load, rate: number, requests: Requests, recording: Recording, shoot: Shoot): Promise<void> {
  const meanGap = (1000 * batch) / rate;
  const start = performance.now();
  const end = start + seconds * 1000;
  return new Promise((resolve) => {
    let out = 0;
    let due = start;
    const done = (): void => {
      out -= 1;
      if (out === 0 && due >= end) resolve();
    };
    const tick = (): void => {
      for (const now = performance.now(); due <= now && due < end; due += -Math.log(1 - Math.random()) * meanGap) {
        if (out >= MAX_OUT) recording.notSent();
        else {
          out += 1;
          shoot(requests.take(batch), due, done);
        }
      }
      if (due < end) setTimeout(tick, Math.max(1, due - performance.now()));
      else if (out === 0) resolve();
    };
    tick();
  });
}

function dispatch(connections: Connections, request: LoadRequest, since: number, recording: Recording, done: () => void): void {
  const path = request.logs === 1 ? '/api/v1/playback-logs' : '/api/v1/playback-logs/batch';
  connections.post(path, request.body, ({ status, retryAfter, start }) => {
    // The counts stand at the beginning.
    const outcome = outcomeOf(request.logs, status, start);
    if (outcome) recording.answered(performance.now() - since, outcome, request.logId);
    else recording.failed(status, retryAfter);
    done();
  });
}

/** Null: not an answer that says what became of the logs. */
export function outcomeOf(logs: number, status: number, head: string): Outcome | null {
  if (logs === 1) {
    if (status === 202) return { accepted: 1, duplicates: 0, rejected: 0 };
    if (status === 200) return { accepted: 0, duplicates: 1, rejected: 0 };
    return status >= 400 && status < 500 && status !== 429 ? { accepted: 0, duplicates: 0, rejected: 1 } : null;
  }
  if (status !== 202 && status !== 207) return null;
  const counts = /^\{"accepted":(\d+),"duplicates":(\d+),"rejected":(\d+),/.exec(head);
  return counts && { accepted: Number(counts[1]), duplicates: Number(counts[2]), rejected: Number(counts[3]) };
}
