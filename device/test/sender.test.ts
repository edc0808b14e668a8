import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LogResult } from '../src/answer.ts';
import { DurableQueue } from '../src/queue.ts';
import { RefusedFile } from '../src/refused-file.ts';
import { Sender, type SenderOptions } from '../src/sender.ts';
import { createTransport } from '../src/transport.ts';
import { acceptAll, type FakeAnswer, type FakeRequest, type FakeService, resultsFor, startFakeService } from './support/fake-service.ts';
import { temporaryDirectory } from './support/temporary.ts';

const ACCEPTED = { outcome: 'accepted', status: 'COMPLETED', billable: true, received_at: '2026-11-20T03:00:00.000Z' };
const REFUSED = { outcome: 'rejected', code: 'too_old', detail: 'ended 25 h ago', retryable: false };
const LATER = { outcome: 'rejected', code: 'unknown_campaign', detail: 'not registered', retryable: true };
const problem = (status: number, code: string, more: object = {}): FakeAnswer => ({ status, body: { code, retryable: false, ...more } });

let service: FakeService;
let directory: string;
let queue: DurableQueue;
let now: number;
let sleeps: number[];
let results: [string, LogResult][];
let troubles: string[];
let sender: Sender;

beforeAll(async () => {
  service = await startFakeService();
});
afterAll(() => service.close());

beforeEach(async () => {
  service.requests.length = 0;
  service.answer = acceptAll;
  directory = path.join(await temporaryDirectory(), 'queue');
  await mkdir(directory);
  queue = await DurableQueue.open({ directory });
  now = Date.parse('2026-11-20T03:00:00Z');
  sleeps = [];
  results = [];
  troubles = [];
});

const transport = createTransport();
afterEach(async () => {
  await sender.stop(1000);
  await queue.close();
});
afterAll(() => transport.close());

/** A sender whose waits are noted and last no time (but give way to everything else). */
function startSender(options: Partial<SenderOptions> = {}): void {
  sender = new Sender({
    baseUrl: service.baseUrl,
    queue,
    refused: new RefusedFile(directory),
    transport,
    clock: () => now,
    random: () => 0.5,
    sleep: async (ms, signal) => {
      if (signal.aborted) return;
      sleeps.push(ms);
      await new Promise((resolve) => setTimeout(resolve, 1));
    },
    backoff: { minMs: 1000, maxMs: 300_000 },
    timeoutMs: 5000,
    onResult: (logId, result) => results.push([logId, result]),
    onTrouble: (detail) => troubles.push(detail),
    ...options,
  });
  sender.start();
}

async function add(...ids: string[]): Promise<void> {
  await Promise.all(ids.map((id) => queue.append(`{"log_id":"${id}","signature":"of ${id}"}`)));
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 3000; i += 1) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`waited in vain until ${what}; troubles: ${troubles.join(' | ')}`);
}

const numbered = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `log-${from + i}`);
const emptied = (): Promise<void> => until(() => queue.size === 0, 'the queue is empty');

describe('sending', () => {
  it('sends batches of 100 with the send time, the logs byte for byte, oldest first', async () => {
    await add(...numbered(0, 250));
    startSender();
    await emptied();
    expect(service.requests.map(({ logIds }) => logIds.length)).toEqual([100, 100, 50]);
    expect(service.requests.flatMap(({ logIds }) => logIds)).toEqual(numbered(0, 250));
    const first = service.requests[0] as FakeRequest;
    expect(first.path).toBe('/api/v1/playback-logs/batch');
    expect(first.body.startsWith('{"sent_at":"2026-11-20T03:00:00.000Z","logs":[{"log_id":"log-0","signature":"of log-0"},{')).toBe(true);
    expect(first.headers['device-time']).toBe('2026-11-20T03:00:00.000Z');
    expect(sender.stats()).toMatchObject({ accepted: 250, requests: 3, failedRequests: 0, trouble: null });
  });

  it('keeps a batch below 2 MiB', async () => {
    await Promise.all(
      Array.from({ length: 60 }, (_, i) => queue.append(JSON.stringify({ log_id: `log-${i}`, filler: 'x'.repeat(60_000) }))),
    );
    startSender();
    await emptied();
    for (const { body } of service.requests) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(service.requests).toHaveLength(2);
  });

  it('sends what is recorded while it waits', async () => {
    startSender();
    for (let i = 0; i < 5; i += 1) {
      await add(`log-${i}`);
      sender.wake();
      await emptied();
    }
    expect(service.requests).toHaveLength(5);
    expect(sleeps).toEqual([]);
  });

  it('takes accepted, duplicate and final refusals out, and nothing else', async () => {
    const answers: Record<string, object> = {
      a: ACCEPTED,
      b: { ...ACCEPTED, outcome: 'duplicate' },
      c: REFUSED,
      d: LATER,
      e: { outcome: 'rejected', code: 'new_code' },
      f: { outcome: 'perhaps' },
      g: { ...ACCEPTED, log_id: 'somebody else' },
      h: { outcome: 'rejected', code: 'malformed', retryable: false, log_id: null },
    };
    service.answer = (request, index) => resultsFor(request, (logId) => (index === 0 ? { ...answers[logId] } : LATER));
    await add(...Object.keys(answers));
    startSender();
    await until(() => service.requests.length >= 4, 'some rounds have passed');
    expect((await queue.read(0, 100, 1e9)).map(({ text }) => (JSON.parse(text) as { log_id: string }).log_id)).toEqual([
      'd',
      'e',
      'f',
      'g',
    ]);
    expect(results.slice(0, 8).map(([logId, { outcome }]) => `${logId} ${outcome}`)).toEqual([
      'a accepted',
      'b duplicate',
      'c refused',
      'd later',
      'e later',
      'f later',
      'g later',
      'h refused',
    ]);
    expect(sender.stats()).toMatchObject({ accepted: 1, duplicates: 1, refusedByCode: { too_old: 1, malformed: 1 } });
    const lines = (await readFile(path.join(directory, 'refused.ndjson'), 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { log_id: 'c', code: 'too_old', detail: 'ended 25 h ago', log: '{"log_id":"c","signature":"of c"}' },
      { log_id: 'h', code: 'malformed' },
    ]);
  });

  it('takes a log that the answer leaves out as unknown', async () => {
    service.answer = (request, index) => {
      const whole = resultsFor(request, () => ACCEPTED) as { body: { results: unknown[] } };
      return index === 0 ? { status: 202, body: { results: whole.body.results.slice(1) } } : { status: 202, body: whole.body };
    };
    await add('a', 'b');
    startSender();
    await emptied();
    expect(service.requests.map(({ logIds }) => logIds)).toEqual([['a', 'b'], ['a']]);
  });
});

describe('when a request fails as a whole', () => {
  const failures: [string, FakeAnswer][] = [
    ['500', problem(500, 'internal')],
    ['503', problem(503, 'overloaded', { retryable: true })],
    ['502 from a proxy', { status: 502, body: '<html>bad gateway</html>' }],
    ['429', problem(429, 'overloaded')],
    ['408', problem(408, 'request_timeout')],
    ['404', problem(404, 'not_found')],
    ['401 from a proxy', { status: 401, body: 'who are you' }],
    ['200 from a captive portal', { status: 200, body: '<html>log in</html>' }],
    ['202 without results', { status: 202, body: {} }],
    ['202 that is no JSON', { status: 202, body: '{"results":[' }],
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }],
    ['a cut connection', { cut: 'before' }],
    ['a cut answer', { cut: 'middle', body: { results: 'x'.repeat(1000) } }],
  ];
  it.each(failures)('%s: the same bytes are sent again after a wait, nothing is dropped', async (_, failure) => {
    service.answer = (request, index) => (index < 2 ? failure : acceptAll(request));
    await add('a', 'b');
    startSender();
    await emptied();
    const [first, second, third] = service.requests;
    expect(service.requests).toHaveLength(3);
    expect([second?.body, third?.body]).toEqual([first?.body, first?.body]);
    expect(sleeps).toEqual([1500, 2500]);
    expect(troubles).toHaveLength(2);
    await until(() => sender.stats().trouble === null, 'all is well again');
    expect(sender.stats()).toMatchObject({ accepted: 2, failedRequests: 2 });
  });

  it('waits longer and longer, up to its bound', async () => {
    service.answer = (request, index) => (index < 14 ? problem(500, 'internal') : acceptAll(request));
    await add('a');
    startSender({ random: () => 0.999999 });
    await emptied();
    expect(sleeps.slice(0, 2)).toEqual([2000, 4000]);
    expect(Math.max(...sleeps)).toBeLessThanOrEqual(300_000);
    expect(Math.min(...sleeps)).toBeGreaterThanOrEqual(1000);
    expect(sleeps.filter((ms) => ms > 290_000).length).toBeGreaterThan(2);
  });

  it('honours Retry-After in seconds and as a date by the server clock, within a bound', async () => {
    const date = 'Fri, 20 Nov 2026 05:00:00 GMT';
    const headers: Record<string, string>[] = [
      { 'retry-after': '30' },
      { 'retry-after': 'Fri, 20 Nov 2026 05:01:00 GMT', date },
      { 'retry-after': '999999999' },
      { 'retry-after': 'soon' },
      { 'retry-after': '-5' },
    ];
    service.answer = (request, index) =>
      index < 5 ? { status: 503, headers: headers[index] as Record<string, string> } : acceptAll(request);
    await add('a');
    startSender({ random: () => 0, backoff: { minMs: 1000, maxMs: 2000 } });
    await emptied();
    expect(sleeps.filter((ms) => ms > 2000)).toEqual([30_000, 60_000, 900_000]);
  });

  it('lets others through when a log breaks every request it is in', async () => {
    service.answer = (request) => (request.logIds.includes('log-7') ? problem(500, 'internal') : acceptAll(request));
    await add(...numbered(0, 120));
    startSender();
    await until(() => queue.size === 1, 'only the log that breaks requests is left');
    expect(results.map(([logId]) => logId).toSorted()).toEqual(
      numbered(0, 120)
        .filter((id) => id !== 'log-7')
        .toSorted(),
    );
  });

  it('gives up after its time without an answer', async () => {
    let hung = true;
    startSender({
      timeoutMs: 30,
      transport: {
        post: (request) => (hung ? transport.post({ ...request, url: request.url.replace('/api', '/hang') }) : transport.post(request)),
        close: () => {},
      },
    });
    service.answer = (request) => {
      if (!request.path.startsWith('/hang')) return acceptAll(request);
      hung = false;
      return { status: 202, body: 'x'.repeat(10_000_000) };
    };
    await add('a');
    sender.wake();
    await emptied();
    expect(troubles).toHaveLength(1);
  });
});

describe('a log that is refused for now', () => {
  it('does not hold up the others, and gets in when its time has come', async () => {
    let registered = false;
    service.answer = (request) => resultsFor(request, (logId) => (logId === 'log-0' && !registered ? LATER : ACCEPTED));
    await add(...numbered(0, 150));
    startSender();
    await until(() => queue.size === 1, 'all others are in');
    await add('new');
    sender.wake();
    await until(() => results.some(([logId]) => logId === 'new'), 'a new log is in');
    expect(queue.size).toBe(1);
    registered = true;
    await emptied();
    expect(sleeps.every((ms, i) => i === 0 || ms >= (sleeps[i - 1] as number) || ms === 300_000)).toBe(true);
  });

  it('is tried at once after a kick', async () => {
    let registered = false;
    service.answer = (request) => resultsFor(request, () => (registered ? ACCEPTED : LATER));
    await add('a');
    startSender({ sleep: (_, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())) });
    await until(() => service.requests.length === 1, 'the first try');
    registered = true;
    sender.kick();
    await emptied();
    expect(service.requests).toHaveLength(2);
  });
});

describe('a batch that is not taken for what is in it', () => {
  it.each([
    ['413', 413, 'too_large'],
    ['400', 400, 'malformed'],
  ])('%s: is split until the one log is found, which is then judged alone', async (_, status, code) => {
    service.answer = (request) => (request.logIds.includes('log-33') ? problem(status, code) : acceptAll(request));
    await add(...numbered(0, 100));
    startSender();
    await emptied();
    expect(results.filter(([, { outcome }]) => outcome === 'refused')).toEqual([['log-33', { outcome: 'refused', code }]]);
    expect(results).toHaveLength(100);
    expect(service.requests.filter(({ path: at }) => at === '/api/v1/playback-logs').map(({ logIds }) => logIds)).toEqual([['log-33']]);
    expect(service.requests.length).toBeLessThan(20);
  });

  it('keeps a log that a proxy, and not the service, refuses', async () => {
    let broken = true;
    service.answer = (request) => (broken ? { status: 413, body: '<html>too large</html>' } : acceptAll(request));
    await add('a', 'b', 'c');
    startSender();
    await until(() => service.requests.length > 20, 'many tries');
    expect(queue.size).toBe(3);
    broken = false;
    await emptied();
    expect(results.map(([, { outcome }]) => outcome)).toEqual(['accepted', 'accepted', 'accepted']);
  });

  it.each(['unauthorized', 'not_found', 'method_not_allowed', 'unsupported_media_type', 'invalid_parameter'])(
    'keeps a log whose request, and not itself, is refused with %s',
    async (code) => {
      service.answer = (request, index) => (index < 6 ? problem(400, code) : acceptAll(request));
      await add('a');
      startSender();
      await emptied();
      expect(results.map(([, { outcome }]) => outcome)).toEqual(['accepted']);
    },
  );
});

const skewed = (request: FakeRequest): FakeAnswer => {
  const sent = Date.parse(String(request.headers['device-time']));
  const serverTime = Date.parse('2026-11-20T03:00:00Z');
  if (Math.abs(sent - serverTime) <= 600_000) return acceptAll(request);
  return { status: 422, body: { code: 'clock_skew', retryable: true, server_time: new Date(serverTime).toISOString() } };
};

describe('a wrong clock', () => {
  it('is told with the server time; once it is set, everything is sent at once', async () => {
    service.answer = skewed;
    now = Date.parse('2026-11-20T09:00:00Z');
    const told: unknown[] = [];
    await add('a', 'b');
    startSender({
      onClockSkew: (serverTime, deviceTime) => {
        told.push([serverTime, deviceTime]);
        now = serverTime ?? now;
      },
    });
    await emptied();
    expect(told).toEqual([[Date.parse('2026-11-20T03:00:00Z'), Date.parse('2026-11-20T09:00:00Z')]]);
    expect(sleeps).toEqual([]);
    expect(sender.stats()).toMatchObject({ accepted: 2, clockSkews: 1 });
  });

  it('that nobody sets keeps everything in the queue, with growing waits', async () => {
    service.answer = skewed;
    now = Date.parse('2026-11-20T09:00:00Z');
    await add('a');
    startSender();
    await until(() => sleeps.length >= 4, 'some waits');
    expect(queue.size).toBe(1);
    expect(sleeps.slice(0, 4)).toEqual([1500, 2500, 4500, 8500]);
    now = Date.parse('2026-11-20T03:00:00Z');
    await emptied();
  });
});

describe('never drops', () => {
  it('whatever a service answers: a log leaves the queue on a final verdict on it, and in the end all do', async () => {
    const answer = fc.oneof(
      fc.record({ status: fc.constantFrom(200, 202, 207, 301, 400, 401, 403, 404, 409, 413, 422, 429, 500, 503), body: fc.jsonValue() }),
      fc.record({ cut: fc.constantFrom('before' as const, 'middle' as const) }),
      fc.record({ status: fc.constantFrom(400, 413, 422), body: fc.record({ code: fc.constantFrom('malformed', 'x', 'clock_skew') }) }),
      fc.record({
        each: fc.array(fc.constantFrom(ACCEPTED, REFUSED, LATER, {}, { outcome: 'accepted', log_id: 'other' }), { minLength: 1 }),
      }),
    );
    startSender();
    await sender.stop(1000);
    await fc.assert(
      fc.asyncProperty(fc.array(answer, { maxLength: 12 }), async (answers) => {
        const before = service.requests.length;
        results.length = 0;
        service.answer = (request, index) => {
          const next = answers[index - before];
          if (!next) return acceptAll(request);
          return 'each' in next ? resultsFor(request, (_, i) => ({ ...next.each[i % next.each.length] })) : next;
        };
        const ids = numbered(0, 7);
        await add(...ids);
        startSender();
        await emptied();
        await sender.stop(1000);
        const final = results.filter(([, { outcome }]) => outcome !== 'later').map(([logId]) => logId);
        expect(final.toSorted()).toEqual(ids);
      }),
      { numRuns: 60 },
    );
  });

  it('a callback that throws changes nothing', async () => {
    startSender({
      onResult: () => {
        throw new Error('the player has a fault');
      },
    });
    await add('a', 'b');
    sender.wake();
    await emptied();
    expect(troubles[0]).toContain('the player has a fault');
    expect(service.requests).toHaveLength(1);
  });
});
