import { CODES, type Code } from '../domain/codes.ts';

export interface ProblemExtra {
  /** JSON Pointers of the fields at fault. */
  readonly fields?: readonly string[];
  /** Seconds; sent as Retry-After. */
  readonly retryAfter?: number;
  /** Further members of the problem document, such as `server_time`. */
  readonly members?: Readonly<Record<string, string | number>>;
  /** Overrides the status of the code, e.g. 429 for `overloaded`. */
  readonly status?: number;
}

/** Thrown anywhere behind a route; the server answers it as RFC 9457 `application/problem+json`. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: Code;
  readonly detail: string;
  readonly extra: ProblemExtra;

  /** @param detail One sentence that says what to change or do next. */
  constructor(code: Code, detail: string, extra: ProblemExtra = {}) {
    super(`${code}: ${detail}`);
    this.code = code;
    this.detail = detail;
    this.extra = extra;
  }

  get status(): number {
    return this.extra.status ?? CODES[this.code].status;
  }

  toDocument(): Record<string, unknown> {
    const { title, retryable } = CODES[this.code];
    return {
      type: `urn:playproof:code:${this.code}`,
      title,
      status: this.status,
      code: this.code,
      detail: this.detail,
      retryable,
      ...(this.extra.fields && { fields: this.extra.fields }),
      ...this.extra.members,
    };
  }
}
