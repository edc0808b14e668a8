import { type Code, CODES } from '../domain/codes.ts';
import { BATCH_TAIL, batchHead } from './answers.ts';
import { ANSWER_AT, ANSWER_LENGTH, type Answer, type Judged, type JudgedRequest, LOG_NUMBERS } from './messages.ts';

/** What became of one log once rule 4 was applied. `replaced` is the answer where it differs from the judge's own. */
export interface Result {
  readonly outcome: 'accepted' | 'duplicate' | 'refused';
  readonly code: Code | null;
  readonly replaced: string | null;
}

export interface Answered {
  readonly answers: readonly Answer[];
  readonly bytes: ArrayBuffer;
}

/** Puts the answers of a job's requests together: the judge's texts as they lie, with rule 4's in their places. */
export class AnswerWriter {
  readonly #judged: Judged;
  readonly #source: Buffer;
  readonly #answers: Answer[] = [];
  #bytes: Buffer;
  #length = 0;

  constructor(judged: Judged) {
    this.#judged = judged;
    this.#source = Buffer.from(judged.bytes);
    const logs = judged.table.length / LOG_NUMBERS;
    this.#bytes = Buffer.allocUnsafeSlow(256 * (judged.requests.length + logs));
  }

  problem(id: number, status: number, body: string): void {
    const at = this.#length;
    this.#text(body);
    this.#answers.push({ id, status, at, length: this.#length - at });
  }

  logs(request: JudgedRequest, results: readonly Result[]): void {
    const at = this.#length;
    let status: number;
    const counts = { accepted: 0, duplicate: 0, refused: 0 };
    for (const { outcome } of results) counts[outcome] += 1;
    if (request.batch) {
      status = counts.refused > 0 ? 207 : 202;
      this.#text(batchHead(counts.accepted, counts.duplicate, counts.refused));
      for (const [i, result] of results.entries()) {
        if (i > 0) this.#text(',');
        this.#result(request.firstLog + i, result);
      }
      this.#text(BATCH_TAIL);
    } else {
      const result = results[0] as Result;
      status = statusOf(result);
      this.#result(request.firstLog, result);
    }
    this.#answers.push({ id: request.id, status, at, length: this.#length - at });
  }

  finish(): Answered {
    return { answers: this.#answers, bytes: this.#bytes.buffer as ArrayBuffer };
  }

  #result(log: number, { replaced }: Result): void {
    if (replaced !== null) return this.#text(replaced);
    const { table } = this.#judged;
    const from = table[log * LOG_NUMBERS + ANSWER_AT] as number;
    const length = table[log * LOG_NUMBERS + ANSWER_LENGTH] as number;
    this.#reserve(length);
    this.#source.copy(this.#bytes, this.#length, from, from + length);
    this.#length += length;
  }

  #text(text: string): void {
    this.#reserve(text.length * 3);
    this.#length += this.#bytes.write(text, this.#length, 'utf8');
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length + bytes));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

function statusOf({ outcome, code }: Result): number {
  if (outcome === 'accepted') return 202;
  return outcome === 'duplicate' ? 200 : CODES[code ?? 'internal'].status;
}
