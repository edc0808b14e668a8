/**
 * What travels between the threads of accept. Logs travel as bytes in one buffer with a table of numbers beside it, so that no
 * object per log is copied; only requests are objects.
 */

/** One request, from the HTTP thread to a judge. Its body lies in the job's buffer. */
export interface JobRequest {
  readonly id: number;
  readonly batch: boolean;
  readonly at: number;
  readonly length: number;
  /** Milliseconds since 1970 UTC, taken once when the body had arrived. */
  readonly receivedAt: number;
  /** The header `Device-Time` as sent. */
  readonly deviceTime: string | null;
}

export interface Job {
  readonly type: 'job';
  readonly job: number;
  readonly bodies: ArrayBuffer;
  readonly requests: readonly JobRequest[];
}

/** A request after judging. Either the whole of it is answered with a problem, or its logs stand in the table. */
export interface JudgedRequest {
  readonly id: number;
  readonly batch: boolean;
  readonly receivedAt: number;
  readonly problem: { readonly status: number; readonly code: string; readonly body: string } | null;
  readonly firstLog: number;
  readonly logs: number;
}

export interface Judged {
  readonly type: 'judged';
  readonly job: number;
  readonly requests: readonly JudgedRequest[];
  /** LOG_NUMBERS numbers for each log, at the places below. */
  readonly table: Int32Array;
  /** Records and answers. */
  readonly bytes: ArrayBuffer;
}

export const LOG_NUMBERS = 7;
export const OUTCOME = 0;
export const RECORD_AT = 1;
export const RECORD_LENGTH = 2;
export const ANSWER_AT = 3;
export const ANSWER_LENGTH = 4;
/** Place of the refusal's code in CODE_NAMES. */
export const CODE = 5;
/** Status in the lowest two bits, then BILLABLE and LAST_WORD. */
export const FLAGS = 6;

export const OUTCOME_REFUSED = 0;
export const OUTCOME_ACCEPTED = 1;
/** Refused by a rule behind rule 4: whether the log_id was seen before comes first. The record holds the refusal. */
export const OUTCOME_REFUSED_PROVEN = 2;
/** Refused before the signature was proven, by a registered device: kept within the bound for that device. */
export const OUTCOME_REFUSED_UNPROVEN = 3;

export const STATUS_MASK = 3;
export const BILLABLE = 4;
/** `too_old`: that the archive does not have it must be the last word, so logs that still wait to be settled count too. */
export const LAST_WORD = 8;

/** One request's answer, from the writer to the HTTP thread. Its body lies in the message's buffer. */
export interface Answer {
  readonly id: number;
  readonly status: number;
  readonly at: number;
  readonly length: number;
}

export interface Answers {
  readonly type: 'answers';
  readonly job: number;
  readonly answers: readonly Answer[];
  readonly bytes: ArrayBuffer;
}
