/** What a test run shows of a protection: before it is taken away, and without it. */
import type { Protection } from '../../test/protections/protection.ts';

/** Of vitest's JSON reporter, what is read. */
export interface Report {
  /** False also where a file could not be loaded. */
  readonly success: boolean;
  readonly testResults: readonly {
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

export interface Verdict {
  readonly ok: boolean;
  readonly told: string;
}

/** What one run of the test runner is told. */
export type TestRun = Pick<Protection, 'test' | 'config' | 'named' | 'env'>;

const keyOf = ({ test, config, env }: TestRun): string => JSON.stringify([test, config, env]);

/** The run on untouched sources that a protection is held against: all the tests of its file that the chosen protections use, once. */
export function controlOf(protection: TestRun, chosen: readonly TestRun[]): TestRun & { readonly key: string } {
  const key = keyOf(protection);
  const names = chosen.filter((other) => keyOf(other) === key).map(({ named }) => named);
  const { test, config, env } = protection;
  const run = { key, test, ...(config ? { config } : {}), ...(env ? { env } : {}) };
  return names.includes(undefined) ? run : { ...run, named: [...new Set(names)].join('|') };
}

/** Green: something ran, and all of it passed. Else red shows nothing: it might be the machine. */
export function judgeControl(report: Report | null): Verdict {
  if (report === null) return { ok: false, told: 'vitest wrote no report' };
  const { ran, failed, told } = resultsOf(report);
  if (failed > 0) return { ok: false, told };
  if (ran === 0) return { ok: false, told: report.testResults.map(({ message }) => message).find(Boolean) ?? 'no test ran' };
  return { ok: report.success, told: report.success ? `${ran} passed` : 'vitest found a fault outside its tests' };
}

/** Red counts where a test ran and failed; code that cannot be loaded shows nothing. */
export function judgeWithout(report: Report | null): Verdict {
  if (report === null) return { ok: false, told: 'vitest wrote no report' };
  const { ran, failed, told } = resultsOf(report);
  return failed > 0 ? { ok: true, told } : { ok: false, told: `${ran} tests passed, none failed` };
}

function resultsOf(report: Report): { readonly ran: number; readonly failed: number; readonly told: string } {
  const results = report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => /^(passed|failed)$/.test(status));
  const failed = results.filter(({ status }) => status === 'failed');
  const said = (failed[0]?.failureMessages[0] ?? '').split('\n')[0] ?? '';
  // What vitest's report has in place of a message where a test ran out of its time.
  const message = said.includes('STACK_TRACE_ERROR') ? 'it did not end in its time' : said;
  const told = `${failed.length} of ${results.length} failed, first "${failed[0]?.fullName}": ${message.slice(0, 160)}`;
  return { ran: results.length, failed: failed.length, told };
}
