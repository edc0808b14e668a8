/** Judged requests as the judges hand them to the recorder, without judging anything. */
import type { JudgedLog } from '../../src/accept/judge-request.ts';
import type { Answer, Judged } from '../../src/accept/messages.ts';
import { Packer } from '../../src/accept/pack.ts';
import type { Code } from '../../src/domain/codes.ts';
import type { Play } from '../../src/domain/play.ts';
import type { DecodedLog } from '../../src/domain/playback-log.ts';
import type { Problem } from '../../src/server/problem.ts';
import { playOf } from './feed-file.ts';

export interface TestRequest {
  readonly id?: number;
  readonly logs?: readonly JudgedLog[];
  /** A single log; otherwise a batch. */
  readonly single?: boolean;
  readonly problem?: Problem;
  readonly receivedAt?: number;
}

const raw = (text: string): JudgedLog['raw'] => ({ text: () => text });

export function acceptedLog(n: number, over: Partial<Play> = {}): JudgedLog {
  return { raw: raw(''), decoded: null, result: { outcome: 'accepted', play: playOf(n, over) } };
}

/** Refused by a rule, with the signature proven or not; `over` is about the log. */
export function refusedLog(n: number, code: Code, proven: boolean, over: Partial<Play> & { deviceKnown?: boolean } = {}): JudgedLog {
  const { logId, deviceId, campaignId, contentId, contentHash, canonical, signature, storeId, supplierId, advertiserId } = playOf(n, over);
  const decoded = { logId, deviceId, campaignId, contentId, contentHash, canonical, signature } as unknown as DecodedLog;
  const { deviceKnown = true } = over;
  return {
    raw: raw(`{"sent":${n}}`),
    decoded,
    result: { outcome: 'refused', code, detail: `Refused: ${code}.`, proven, rests: false, deviceKnown, storeId, supplierId, advertiserId },
  };
}

export function unreadableLog(code: Code, fields: readonly string[] | null, logId: string | null, deviceId: string | null): JudgedLog {
  return {
    raw: raw('{"broken":"ü"}'),
    decoded: null,
    result: {
      outcome: 'unreadable',
      code,
      detail: 'Ünreadable "so".',
      fields,
      logId,
      deviceId,
      deviceKnown: deviceId !== null,
      storeId: null,
      supplierId: null,
      advertiserId: null,
    },
  };
}

export function judgedJob(job: number, requests: readonly TestRequest[]): Judged {
  const packer = new Packer();
  for (const [i, { id = i + 1, logs = [], single = false, problem, receivedAt = playOf(0).receivedAt }] of requests.entries()) {
    const request = { id, batch: !single, at: 0, length: 0, receivedAt, deviceTime: null };
    packer.add(request, problem ? { problem } : { problem: null, logs, memory: null });
  }
  return packer.finish(job).message;
}

export interface ReadAnswer {
  readonly status: number;
  readonly body: Record<string, unknown> & { results?: Record<string, unknown>[] };
}

export function readAnswers({ answers, bytes }: { answers: readonly Answer[]; bytes: ArrayBuffer }): Map<number, ReadAnswer> {
  return new Map(
    answers.map(({ id, status, at, length }) => [
      id,
      { status, body: JSON.parse(Buffer.from(bytes, at, length).toString('utf8')) as ReadAnswer['body'] },
    ]),
  );
}
