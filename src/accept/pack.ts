/** Packs judged requests into one table and one buffer: what the writer appends and what the device hears. */
import { hash } from 'node:crypto';
import { CODE_NAMES } from '../domain/codes.ts';
import type { Play } from '../domain/play.ts';
import { STATUSES } from '../domain/play.ts';
import type { Refusal } from '../domain/refusal.ts';
import { formatInstant } from '../domain/timestamp.ts';
import { playRecordBound, refusalRecord, writePlayRecord } from '../journal/record.ts';
import { refusalAnswer, successAnswer } from './answers.ts';
import type { JudgedLog, JudgedLogs } from './judge-request.ts';
import {
  ANSWER_AT,
  ANSWER_LENGTH,
  LAST_WORD,
  BILLABLE,
  CODE,
  FLAGS,
  type JobRequest,
  type Judged,
  type JudgedRequest,
  LOG_NUMBERS,
  OUTCOME,
  OUTCOME_ACCEPTED,
  OUTCOME_REFUSED,
  OUTCOME_REFUSED_PROVEN,
  OUTCOME_REFUSED_UNPROVEN,
  RECORD_AT,
  RECORD_LENGTH,
} from './messages.ts';

/** Longest answer of an accepted log, in bytes. */
const SUCCESS_BOUND = 256;
const SPARE_BYTES = 4 * 1024;
/** The table grows from here by doubling. */
const FIRST_LOGS = 128;

export class Packer {
  readonly #requests: JudgedRequest[] = [];
  #table = new Int32Array(FIRST_LOGS * LOG_NUMBERS);
  #bytes: Buffer;
  #length = 0;
  #logs = 0;

  /** @param bodyBytes Of all requests that will be added. Records and answers take about half as much again. */
  constructor(bodyBytes = 0) {
    this.#bytes = Buffer.allocUnsafeSlow(SPARE_BYTES + bodyBytes + Math.ceil(bodyBytes / 2));
  }

  add(request: JobRequest, judged: JudgedLogs): void {
    const { id, batch, receivedAt } = request;
    if (judged.problem) {
      const { problem } = judged;
      const body = JSON.stringify(problem.toDocument());
      this.#requests.push({ id, batch, receivedAt, problem: { status: problem.status, code: problem.code, body }, firstLog: 0, logs: 0 });
      return;
    }
    const received = formatInstant(receivedAt);
    this.#requests.push({ id, batch, receivedAt, problem: null, firstLog: this.#logs, logs: judged.logs.length });
    for (const [index, log] of judged.logs.entries()) {
      const { result } = log;
      if (result.outcome === 'accepted') this.#accepted(batch ? index : null, result.play, received);
      else this.#refused(batch ? index : null, log, receivedAt);
      this.#logs += 1;
    }
  }

  /** The message, with the buffers that travel with it. */
  finish(job: number): { readonly message: Judged; readonly transfer: ArrayBuffer[] } {
    const table = this.#table.slice(0, this.#logs * LOG_NUMBERS);
    const bytes = this.#bytes.buffer as ArrayBuffer;
    return { message: { type: 'judged', job, requests: this.#requests, table, bytes }, transfer: [table.buffer, bytes] };
  }

  #accepted(index: number | null, play: Play, received: string): void {
    this.#reserve(playRecordBound(play) + SUCCESS_BOUND);
    const recordAt = this.#length;
    const recordLength = writePlayRecord(this.#bytes, recordAt, play);
    const answerAt = recordAt + recordLength;
    const answerLength = this.#bytes.write(successAnswer(index, play.logId, 'accepted', play, received), answerAt, 'latin1');
    this.#length = answerAt + answerLength;
    const flags = STATUSES.indexOf(play.status) | (play.billable ? BILLABLE : 0);
    this.#row(OUTCOME_ACCEPTED, recordAt, recordLength, answerAt, answerLength, 0, flags);
  }

  #refused(index: number | null, log: JudgedLog, receivedAt: number): void {
    const { result } = log;
    if (result.outcome === 'accepted') throw new Error('an accepted log is not refused');
    const unreadable = result.outcome === 'unreadable';
    const fields = unreadable ? result.fields : null;
    const logId = unreadable ? result.logId : (log.decoded?.logId ?? null);
    const answer = Buffer.from(refusalAnswer(index, logId, result.code, result.detail, fields));
    const refusal = refusalOf(log, receivedAt);
    const record = refusal ? refusalRecord(refusal) : Buffer.alloc(0);
    this.#reserve(record.length + answer.length);
    const recordAt = this.#length;
    this.#bytes.set(record, recordAt);
    const answerAt = recordAt + record.length;
    this.#bytes.set(answer, answerAt);
    this.#length = answerAt + answer.length;
    const outcome = !refusal ? OUTCOME_REFUSED : refusal.proven ? OUTCOME_REFUSED_PROVEN : OUTCOME_REFUSED_UNPROVEN;
    this.#row(
      outcome,
      recordAt,
      record.length,
      answerAt,
      answer.length,
      CODE_NAMES.indexOf(result.code),
      result.code === 'too_old' ? LAST_WORD : 0,
    );
  }

  #row(outcome: number, recordAt: number, recordLength: number, answerAt: number, answerLength: number, code: number, flags: number): void {
    const at = this.#logs * LOG_NUMBERS;
    if (at === this.#table.length) {
      const larger = new Int32Array(this.#table.length * 2);
      larger.set(this.#table);
      this.#table = larger;
    }
    const table = this.#table;
    table[at + OUTCOME] = outcome;
    table[at + RECORD_AT] = recordAt;
    table[at + RECORD_LENGTH] = recordLength;
    table[at + ANSWER_AT] = answerAt;
    table[at + ANSWER_LENGTH] = answerLength;
    table[at + CODE] = code;
    table[at + FLAGS] = flags;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length + bytes));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** What quarantine keeps of a refused log; null where nothing is kept: the device is not registered. */
function refusalOf({ raw, decoded, result }: JudgedLog, receivedAt: number): Refusal | null {
  if (result.outcome === 'accepted') return null;
  const unreadable = result.outcome === 'unreadable';
  if (!result.deviceKnown) return null;
  const proven = !unreadable && result.proven;
  const deviceId = unreadable ? result.deviceId : (decoded?.deviceId ?? null);
  const sent = proven ? null : Buffer.from(raw.text());
  return {
    code: result.code,
    detail: result.detail,
    fields: unreadable ? result.fields : null,
    proven,
    logId: unreadable ? result.logId : (decoded?.logId ?? null),
    deviceId,
    storeId: result.storeId,
    supplierId: result.supplierId,
    advertiserId: result.advertiserId,
    receivedAt,
    contentHash: decoded?.contentHash ?? hash('sha256', sent ?? Buffer.alloc(0), 'hex'),
    body: sent ?? decoded?.canonical ?? Buffer.alloc(0),
    signature: proven ? (decoded?.signature ?? Buffer.alloc(0)) : Buffer.alloc(0),
  };
}
