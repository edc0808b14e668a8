import { setImmediate as turn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Allowance } from '../../../src/accept/allowance.ts';
import { Recorder } from '../../../src/accept/recorder.ts';
import { SeenWindow } from '../../../src/accept/seen.ts';
import type { SettledLogs, StoredVerdict } from '../../../src/archive/archive.ts';
import { Counters } from '../../../src/counters.ts';
import { formatInstant } from '../../../src/domain/timestamp.ts';
import { JournalBroken, JournalFull } from '../../../src/journal/journal.ts';
import { Problem } from '../../../src/server/problem.ts';
import { FakeJournal, type Fate } from '../../support/fake-journal.ts';
import { playOf, uuidOf } from '../../support/feed-file.ts';
import { acceptedLog, judgedJob, readAnswers, refusedLog, type TestRequest, unreadableLog } from '../../support/judged.ts';

const OTHER = 'f'.repeat(64);

class FakeArchive implements SettledLogs {
  readonly stored = new Map<string, StoredVerdict>();
  asked = 0;
  away = false;

  async find(logId: Uint8Array): Promise<StoredVerdict | null> {
    this.asked += 1;
    if (this.away) throw new Error('away');
    return this.stored.get(Buffer.from(logId).toString('hex')) ?? null;
  }
}

let journal: FakeJournal;
let archive: FakeArchive;
let counters: Counters;
let failures: unknown[];
let archiveFailures: unknown[];
let now: number;

function recorder(fake: FakeJournal = journal, perDevice = 10): Recorder {
  journal = fake;
  return new Recorder({
    journal: fake,
    settled: archive,
    seen: new SeenWindow(),
    allowance: new Allowance(perDevice),
    counters,
    clock: () => now,
    onArchiveFailure: (error) => archiveFailures.push(error),
    onJournalFailure: (error) => failures.push(error),
  });
}

/** The answers of one job, by request; `answered` says whether they are there. */
function send(to: Recorder, ...requests: TestRequest[]) {
  const sent = { answered: false, answers: to.record(judgedJob(1, requests)).then((answered) => readAnswers(answered)) };
  void sent.answers.then(() => {
    sent.answered = true;
  });
  return sent;
}

async function one(to: Recorder, request: TestRequest) {
  const answer = (await send(to, { ...request, id: 7 }).answers).get(7);
  if (!answer) throw new Error('no answer');
  return answer;
}

const batch = (...logs: NonNullable<TestRequest['logs']>): TestRequest => ({ logs });
const single = (log: NonNullable<TestRequest['logs']>[number]): TestRequest => ({ logs: [log], single: true });
const outcomes = (body: { results?: Record<string, unknown>[] }) => body.results?.map(({ outcome, code }) => code ?? outcome);

beforeEach(() => {
  journal = new FakeJournal();
  archive = new FakeArchive();
  counters = new Counters();
  failures = [];
  archiveFailures = [];
  now = 0;
});

describe('I1: nothing is acknowledged before it is durable', () => {
  it('answers a batch only when its append has resolved, accepted logs and kept refusals in one append', async () => {
    const sent = send(recorder(), batch(acceptedLog(1), refusedLog(2, 'in_future', true), acceptedLog(3)));
    await turn();
    expect(sent.answered).toBe(false);
    expect(journal.open[0]?.entries.map(({ kind }) => kind)).toEqual([1, 2, 1]);
    journal.open[0]?.end('ok');
    const answer = (await sent.answers).get(1);
    expect(answer?.status).toBe(207);
    expect(answer?.body).toMatchObject({ accepted: 2, duplicates: 0, rejected: 1 });
    expect(outcomes(answer?.body ?? {})).toEqual(['accepted', 'in_future', 'accepted']);
    expect(journal.kept.map((text) => text.slice(0, 38))).toEqual([`1 ${uuidOf(1, 1)}`, `2 ${uuidOf(1, 2)}`, `1 ${uuidOf(1, 3)}`]);
  });

  it.each([
    ['lost', JournalFull],
    ['unknown', JournalBroken],
  ] as const)('answers 503 for the whole request when its append failed (%s)', async (fate, failure) => {
    const to = recorder(new FakeJournal(fate));
    const answers = await send(to, batch(acceptedLog(1), acceptedLog(2)), single(acceptedLog(3)), single(refusedLog(4, 'too_old', true)))
      .answers;
    for (const id of [1, 2, 3]) {
      expect(answers.get(id)).toMatchObject({ status: 503, body: { code: 'unavailable', retryable: true } });
    }
    // Single logs of a job share one append; the one for which the archive was asked has its own.
    expect(failures).toHaveLength(2);
    expect(failures[0]).toBeInstanceOf(failure);
    expect(counters.get('accepted')).toBe(0);
    expect(counters.refused('unavailable')).toBe(4);
  });

  it('does not know an id whose append failed, so sending again is accepted', async () => {
    const to = recorder();
    const first = send(to, single(acceptedLog(1)));
    await turn();
    journal.open[0]?.end('lost');
    expect((await first.answers).get(1)?.status).toBe(503);
    const again = send(to, single(acceptedLog(1)));
    await turn();
    journal.open[0]?.end('ok');
    expect((await again.answers).get(1)).toMatchObject({ status: 202, body: { outcome: 'accepted' } });
  });

  it('never answers what hangs, and holds up nobody else', async () => {
    const to = recorder();
    const stuck = send(to, single(acceptedLog(1)));
    await turn();
    journal.open[0]?.end('hang');
    const repeat = send(to, single(acceptedLog(1)));
    const other = send(to, single(acceptedLog(2)));
    await turn();
    journal.open[1]?.end('ok');
    expect((await other.answers).get(1)?.status).toBe(202);
    await turn();
    expect([stuck.answered, repeat.answered]).toEqual([false, false]);
  });
});

describe('rule 4: seen before', () => {
  it('waits for the one in flight and shares its fate: durable, so a duplicate with the first verdict', async () => {
    const to = recorder();
    const first = send(to, single(acceptedLog(1, { status: 'PARTIAL', billable: false })));
    const repeats = [send(to, single(acceptedLog(1, { receivedAt: 9_999 }))), send(to, batch(acceptedLog(5), acceptedLog(1)))];
    const conflict = send(to, single(acceptedLog(1, { contentHash: OTHER })));
    await turn();
    expect(journal.open).toHaveLength(1);
    journal.open[0]?.end('ok');
    expect((await first.answers).get(1)?.body).toMatchObject({ outcome: 'accepted' });
    await turn();
    while (journal.open.length > 0) journal.open[0]?.end('ok');
    const verdict = { outcome: 'duplicate', status: 'PARTIAL', billable: false, received_at: formatInstant(playOf(0).receivedAt) };
    expect((await repeats[0]?.answers)?.get(1)).toEqual({ status: 200, body: { log_id: uuidOf(1, 1), ...verdict } });
    expect((await repeats[1]?.answers)?.get(1)?.body.results?.[1]).toEqual({ index: 1, log_id: uuidOf(1, 1), ...verdict });
    expect((await conflict.answers).get(1)).toMatchObject({ status: 409, body: { code: 'log_id_conflict', retryable: false } });
    expect(journal.kept.filter((text) => text.startsWith(`1 ${uuidOf(1, 1)}`))).toHaveLength(1);
  });

  it('waits for the one in flight and shares its fate: failed, so the next in line is accepted in its place', async () => {
    const to = recorder();
    const first = send(to, single(acceptedLog(1)));
    const second = send(to, single(acceptedLog(1, { contentHash: OTHER })));
    const third = send(to, single(acceptedLog(1)));
    await turn();
    journal.open[0]?.end('lost');
    expect((await first.answers).get(1)?.status).toBe(503);
    await turn();
    expect(journal.open).toHaveLength(1);
    journal.open[0]?.end('ok');
    expect((await second.answers).get(1)?.status).toBe(202);
    await turn();
    journal.open[0]?.end('ok');
    expect((await third.answers).get(1)?.status).toBe(409);
  });

  it('tells repeats inside one batch: the same again is a duplicate, other content is a conflict that is kept', async () => {
    const answer = await one(
      recorder(new FakeJournal('ok')),
      batch(
        acceptedLog(1),
        acceptedLog(1),
        acceptedLog(1, { contentHash: OTHER }),
        acceptedLog(1, { deviceId: uuidOf(2, 99), contentHash: OTHER }),
      ),
    );
    expect(answer.status).toBe(207);
    expect(answer.body).toMatchObject({ accepted: 1, duplicates: 1, rejected: 2 });
    expect(outcomes(answer.body)).toEqual(['accepted', 'duplicate', 'log_id_conflict', 'log_id_conflict']);
    expect(journal.kept.map((text) => text[0])).toEqual(['1', '2', '2']);
    expect(counters.refused('log_id_conflict')).toBe(2);
  });

  it('takes a batch whose repeats stand in it as a whole: when the append fails, none of it was taken', async () => {
    const answer = await one(recorder(new FakeJournal('lost')), batch(acceptedLog(1), acceptedLog(1)));
    expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(journal.kept).toEqual([]);
  });

  it('comes before the rules behind it: what was accepted stays a duplicate, whatever it is refused for now', async () => {
    const to = recorder(new FakeJournal('ok'));
    await one(to, single(acceptedLog(1)));
    expect(await one(to, single(refusedLog(1, 'unknown_campaign', true)))).toMatchObject({ status: 200, body: { outcome: 'duplicate' } });
    expect(await one(to, single(refusedLog(1, 'in_future', true, { contentHash: OTHER })))).toMatchObject({
      status: 409,
      body: { code: 'log_id_conflict', log_id: uuidOf(1, 1) },
    });
    // Not proven: nobody but the device itself learns what was seen.
    expect(await one(to, single(refusedLog(1, 'invalid_signature', false)))).toMatchObject({
      status: 401,
      body: { code: 'invalid_signature' },
    });
  });

  it('lets only accepted logs occupy their log_id', async () => {
    const to = recorder(new FakeJournal('ok'));
    expect((await one(to, single(refusedLog(1, 'unknown_campaign', true)))).status).toBe(422);
    expect((await one(to, single(acceptedLog(1, { contentHash: OTHER })))).status).toBe(202);
  });

  it('forgets after ten minutes, and then hears it as new', async () => {
    const to = recorder(new FakeJournal('ok'));
    await one(to, single(acceptedLog(1)));
    now += 600_000;
    expect((await one(to, single(acceptedLog(1)))).status).toBe(200);
    now += 600_001;
    await one(to, single(acceptedLog(2)));
    expect((await one(to, single(acceptedLog(1)))).status).toBe(202);
  });

  it('settles no matter how logs, repeats, failures and orders mix: every id acknowledged was kept, and once while remembered', async () => {
    const log = fc.record({ n: fc.nat(4), other: fc.boolean() });
    const request = fc.record({
      logs: fc.array(log, { minLength: 1, maxLength: 4 }),
      end: fc.nat(3),
      fate: fc.constantFrom<Fate>('ok', 'ok', 'lost'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 12 }), async (requests) => {
        const fake = new FakeJournal();
        const to = recorder(fake);
        const pending: Promise<Map<number, { body: { results?: Record<string, unknown>[] } }>>[] = [];
        for (const { logs, end, fate } of requests) {
          pending.push(send(to, batch(...logs.map(({ n, other }) => acceptedLog(n, other ? { contentHash: OTHER } : {})))).answers);
          await turn();
          if (end > 0) fake.open[end % fake.open.length]?.end(fate);
        }
        for (let left = 0; left < 50; left += 1) {
          fake.open[0]?.end('ok');
          await turn();
        }
        const accepted = new Set(fake.kept.filter((text) => text.startsWith('1 ')));
        const ids = new Set([...accepted].map((text) => text.slice(2, 38)));
        // One content for each id, and each only once.
        expect(accepted.size).toBe(ids.size);
        expect(fake.kept.filter((text) => text.startsWith('1 '))).toHaveLength(ids.size);
        for (const [i, answers] of (await Promise.all(pending)).entries()) {
          for (const { index, outcome, log_id: logId } of answers.get(1)?.body.results ?? []) {
            if (outcome === 'rejected') continue;
            const sent = requests[i]?.logs[index as number];
            const hash = sent?.other ? OTHER : playOf(sent?.n ?? 0).contentHash;
            expect(accepted).toContain(`1 ${String(logId)} ${hash}`);
          }
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('too_old asks the archive first', () => {
  const tooOld = refusedLog(1, 'too_old', true);
  const id = uuidOf(1, 1).replaceAll('-', '');

  it('answers duplicate with the verdict of then', async () => {
    archive.stored.set(id, { contentHash: Buffer.from(playOf(1).contentHash, 'hex'), flags: 4, receivedAt: 1_000 });
    expect(await one(recorder(new FakeJournal('ok')), single(tooOld))).toEqual({
      status: 200,
      body: { log_id: uuidOf(1, 1), outcome: 'duplicate', status: 'COMPLETED', billable: true, received_at: formatInstant(1_000) },
    });
    expect(journal.kept).toEqual([]);
  });

  it('answers a conflict for other content, and too_old where there is nothing', async () => {
    archive.stored.set(id, { contentHash: Buffer.from(OTHER, 'hex'), flags: 0, receivedAt: 1_000 });
    const to = recorder(new FakeJournal('ok'));
    expect((await one(to, single(tooOld))).status).toBe(409);
    archive.stored.clear();
    expect(await one(to, single(tooOld))).toMatchObject({ status: 422, body: { code: 'too_old' } });
    expect(journal.kept).toHaveLength(2);
  });

  it('answers unavailable for that log alone when the archive is away, and says so', async () => {
    archive.away = true;
    const to = recorder(new FakeJournal('ok'));
    const answer = await one(to, batch(acceptedLog(2), tooOld, acceptedLog(3)));
    expect(answer.status).toBe(207);
    expect(outcomes(answer.body)).toEqual(['accepted', 'unavailable', 'accepted']);
    expect(answer.body.results?.[1]).toMatchObject({ index: 1, log_id: uuidOf(1, 1), retryable: true });
    expect(await one(to, single(tooOld))).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(archiveFailures).toHaveLength(2);
    expect(counters.get('notKept')).toBe(0);
  });

  it('asks before a conflict too: what came first before the start of this process stands', async () => {
    const to = recorder(new FakeJournal('ok'));
    await one(to, single(acceptedLog(1, { contentHash: OTHER })));
    archive.stored.set(id, { contentHash: Buffer.from(playOf(1).contentHash, 'hex'), flags: 0, receivedAt: 1_000 });
    expect(await one(to, single(acceptedLog(1)))).toMatchObject({ status: 200, body: { outcome: 'duplicate' } });
    archive.stored.clear();
    expect(await one(to, single(acceptedLog(1)))).toMatchObject({ status: 409, body: { code: 'log_id_conflict' } });
    archive.away = true;
    expect(await one(to, single(acceptedLog(1)))).toMatchObject({ status: 503, body: { code: 'unavailable' } });
  });

  it('asks after waiting for another content in flight: the one that stands is a duplicate, not a conflict', async () => {
    const to = recorder();
    const other = send(to, single(acceptedLog(1, { contentHash: OTHER })));
    await turn();
    archive.stored.set(id, { contentHash: Buffer.from(playOf(1).contentHash, 'hex'), flags: 0, receivedAt: 1_000 });
    const standing = send(to, single(acceptedLog(1)));
    await turn();
    expect(standing.answered).toBe(false);
    journal.open[0]?.end('ok');
    expect((await other.answers).get(1)?.status).toBe(202);
    expect((await standing.answers).get(1)).toMatchObject({ status: 200, body: { outcome: 'duplicate' } });
    expect(journal.kept).toHaveLength(1);
  });

  it('I5: asks before every refusal behind rule 4: what was accepted once is a duplicate, whatever the registry says by now', async () => {
    archive.stored.set(id, { contentHash: Buffer.from(playOf(1).contentHash, 'hex'), flags: 4, receivedAt: 1_000 });
    const to = recorder(new FakeJournal('ok'));
    for (const code of ['in_future', 'duration_inconsistent', 'location_out_of_range', 'unknown_campaign'] as const) {
      expect(await one(to, single(refusedLog(1, code, true)))).toMatchObject({ status: 200, body: { outcome: 'duplicate' } });
    }
    expect(journal.kept).toEqual([]);
  });

  it('asks for nothing that is accepted, or refused before its signature was proven', async () => {
    await one(recorder(new FakeJournal('ok')), batch(acceptedLog(1), refusedLog(3, 'key_not_valid', false)));
    expect(archive.asked).toBe(0);
  });

  it('holds up no neighbour while it asks', async () => {
    const to = recorder(new FakeJournal('ok'));
    const asked = Promise.withResolvers<StoredVerdict | null>();
    archive.find = () => asked.promise;
    void send(to, single(acceptedLog(2)), single(tooOld));
    await turn();
    expect(journal.kept).toHaveLength(1);
    asked.resolve(null);
  });
});

describe('I4: every refusal is explicit, and kept or counted', () => {
  it('keeps unproven refusals of known devices within their allowance, and counts the rest', async () => {
    const to = recorder(new FakeJournal('ok'), 2);
    const bad = [1, 8, 15].map((n) => refusedLog(n, 'invalid_signature', false));
    const answer = await one(
      to,
      batch(...bad, unreadableLog('invalid_field', ['/status'], null, uuidOf(2, 3)), unreadableLog('malformed', null, null, null)),
    );
    expect(outcomes(answer.body)).toEqual(['invalid_signature', 'invalid_signature', 'invalid_signature', 'invalid_field', 'malformed']);
    // The three name one device; what names none cannot be kept for anybody.
    expect(journal.kept).toHaveLength(3);
    expect(counters.get('notKept')).toBe(2);
    expect(counters.refused('invalid_signature')).toBe(3);
  });

  it('keeps nothing of devices that are not registered', async () => {
    const answer = await one(recorder(new FakeJournal('ok')), single(refusedLog(1, 'unknown_device', false, { deviceKnown: false })));
    expect(answer).toMatchObject({ status: 401, body: { code: 'unknown_device', retryable: true } });
    expect(journal.kept).toEqual([]);
  });

  it('answers a request that was refused as a whole as it was judged, beside others', async () => {
    const problem = new Problem('clock_skew', 'The clock is wrong.', { members: { server_time: 'now' } });
    const answers = await send(recorder(new FakeJournal('ok')), { problem }, batch(acceptedLog(1))).answers;
    expect(answers.get(1)).toMatchObject({ status: 422, body: { code: 'clock_skew', retryable: true, server_time: 'now' } });
    expect(answers.get(2)?.status).toBe(202);
    expect(counters.refused('clock_skew')).toBe(1);
  });
});
