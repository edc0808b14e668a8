import { MAX_QUERY_SECONDS } from './query.ts';
import { Problem } from '../server/problem.ts';

/** ClickHouse's numbers of the errors that the bounds of a query raise. */
const TIMEOUT_EXCEEDED = '159';
const TOO_SLOW = '160';
const MEMORY_LIMIT_EXCEEDED = '241';
const TOO_MANY_ROWS_OR_BYTES = '396';

/** What a client hears of a query that failed. The engine's own words stay in the service's log: they show its insides. */
export function queryProblem(code: string | null): Problem {
  switch (code) {
    case TIMEOUT_EXCEEDED:
    case TOO_SLOW:
      return new Problem(
        'overloaded',
        `This takes longer than ${MAX_QUERY_SECONDS} s; narrow the span with "from" and "to", filter more, or ask again later.`,
        { retryAfter: 10 },
      );
    case MEMORY_LIMIT_EXCEEDED:
    case TOO_MANY_ROWS_OR_BYTES:
      return new Problem('invalid_parameter', 'The answer would be too large; narrow the span with "from" and "to", or filter more.');
    default:
      return new Problem('unavailable', 'Reports cannot be answered at the moment; ask again in a few seconds.', { retryAfter: 3 });
  }
}
