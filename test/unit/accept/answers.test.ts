import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerWriter, type Result } from '../../../src/accept/answer-writer.ts';
import { duplicateAnswer, refusalAnswer } from '../../../src/accept/answers.ts';
import { CODES, LOG_CODES } from '../../../src/domain/codes.ts';
import { formatInstant } from '../../../src/domain/timestamp.ts';
import { Problem } from '../../../src/server/problem.ts';
import { playOf } from '../../support/feed-file.ts';
import { acceptedLog, judgedJob, readAnswers, refusedLog, type TestRequest, unreadableLog } from '../../support/judged.ts';
import { anyPlay } from '../../support/plays.ts';

const RECEIVED = playOf(0).receivedAt;
const text = fc.string({ unit: 'grapheme' });

/** One log with the result that rule 4 came to, and what a device must read for it in a batch (`index` apart). */
const answered = fc.oneof(
  anyPlay.map((play) => ({
    log: acceptedLog(0, play),
    result: { outcome: 'accepted', code: null, replaced: null } as Result,
    expected: {
      log_id: play.logId,
      outcome: 'accepted',
      status: play.status,
      billable: play.billable,
      received_at: formatInstant(RECEIVED),
    },
  })),
  fc.tuple(anyPlay, fc.integer({ min: 0, max: 2e12 })).map(([play, receivedAt]) => {
    const { logId, status, billable } = play;
    return {
      log: acceptedLog(0, play),
      result: (index: number | null): Result => ({
        outcome: 'duplicate',
        code: null,
        replaced: duplicateAnswer(index, logId, { status, billable, receivedAt }),
      }),
      expected: { log_id: logId, outcome: 'duplicate', status, billable, received_at: formatInstant(receivedAt) },
    };
  }),
  fc.tuple(fc.nat(500), fc.constantFrom(...LOG_CODES), fc.boolean()).map(([n, code, proven]) => ({
    log: refusedLog(n, code, proven),
    result: { outcome: 'refused', code, replaced: null } as Result,
    expected: { log_id: playOf(n).logId, outcome: 'rejected', code, detail: `Refused: ${code}.`, retryable: CODES[code].retryable },
  })),
  fc.tuple(fc.array(text, { minLength: 1, maxLength: 4 }), fc.option(fc.uuid())).map(([fields, logId]) => ({
    log: unreadableLog('invalid_field', fields, logId, null),
    result: { outcome: 'refused', code: 'invalid_field', replaced: null } as Result,
    expected: { log_id: logId, outcome: 'rejected', code: 'invalid_field', detail: 'Ünreadable "so".', retryable: false, fields },
  })),
  fc.tuple(fc.nat(500), text).map(([n, detail]) => ({
    log: acceptedLog(n),
    result: (index: number | null): Result => ({
      outcome: 'refused',
      code: 'log_id_conflict',
      replaced: refusalAnswer(index, playOf(n).logId, 'log_id_conflict', detail, null),
    }),
    expected: { log_id: playOf(n).logId, outcome: 'rejected', code: 'log_id_conflict', detail, retryable: false },
  })),
);

describe('the answers of a job', () => {
  it('are the JSON that building objects and printing them gives, with the statuses of the contract', () => {
    const request = fc.record({ single: fc.boolean(), items: fc.array(answered, { minLength: 1, maxLength: 12 }), problem: fc.boolean() });
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 5 }), (given) => {
        const problem = new Problem('clock_skew', 'Die Uhr geht falsch: “später”.', { members: { server_time: 'x' } });
        const requests = given.map(({ single, items, problem: refused }) => ({
          single,
          refused,
          items: single ? items.slice(0, 1) : items,
        }));
        const job = judgedJob(
          3,
          requests.map(
            ({ single, items, refused }): TestRequest => (refused ? { single, problem } : { single, logs: items.map(({ log }) => log) }),
          ),
        );
        const writer = new AnswerWriter(job);
        for (const [i, judged] of job.requests.entries()) {
          if (judged.problem) writer.problem(judged.id, judged.problem.status, judged.problem.body);
          else {
            const { items = [], single } = requests[i] ?? {};
            writer.logs(
              judged,
              items.map(({ result }, index) => (typeof result === 'function' ? result(single ? null : index) : result)),
            );
          }
        }
        const answers = readAnswers(writer.finish());
        for (const [i, { single, items, refused }] of requests.entries()) {
          const answer = answers.get(i + 1);
          if (refused) expect(answer).toEqual({ status: 422, body: JSON.parse(JSON.stringify(problem.toDocument())) });
          else if (!single) expect(answer).toEqual(batchReference(items.map(({ expected }) => expected)));
          else expect(answer).toEqual(singleReference(items[0]?.expected));
        }
      }),
      { numRuns: 200 },
    );
  });
});

type Expected = Record<string, unknown> & { outcome: string };

function batchReference(logs: readonly Expected[]) {
  const count = (outcome: string) => logs.filter((log) => log.outcome === outcome).length;
  const rejected = count('rejected');
  return {
    status: rejected > 0 ? 207 : 202,
    body: { accepted: count('accepted'), duplicates: count('duplicate'), rejected, results: logs.map((log, index) => ({ index, ...log })) },
  };
}

function singleReference(expected: Expected | undefined) {
  if (!expected) throw new Error('a single request has one log');
  if (expected.outcome !== 'rejected') return { status: expected.outcome === 'accepted' ? 202 : 200, body: expected };
  const {
    code,
    detail,
    fields,
    log_id: logId,
  } = expected as unknown as { code: keyof typeof CODES; detail: string; fields?: string[]; log_id: string | null };
  const document = JSON.parse(JSON.stringify(new Problem(code, detail, fields ? { fields } : {}).toDocument())) as object;
  return { status: CODES[code].status, body: logId === null ? document : { ...document, log_id: logId } };
}
