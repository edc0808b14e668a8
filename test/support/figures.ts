/** What a test has to tell beside passed or failed. `npm run reliability` collects these lines into docs/reliability.md. */
import type { Ledger } from './ledger.ts';

const MARK = 'figure: ';
/** Printed where a test is tried again: what it told before does not count, or a log would be counted twice. */
export const AGAIN = 'tried again';
const LEDGER = /^(\d+) acknowledged, (\d+) differences$/;

export function tellFigure(text: string): void {
  console.log(`${MARK}${text}`);
}

/** Of a ledger that tests share, each tells what the ones before it had not: sums are right. */
const toldOf = new WeakMap<Ledger, number>();

/** Tells how many logs were held against the copies. Answers the same differences. */
export function tellDifferences(ledger: Ledger, found: string[]): string[] {
  tellFigure(`${ledger.acknowledged - (toldOf.get(ledger) ?? 0)} acknowledged, ${found.length} differences`);
  toldOf.set(ledger, ledger.acknowledged);
  return found;
}

/** What a test printed in its last attempt. */
export function lastAttempt(lines: readonly string[]): string[] {
  return lines.slice(lines.lastIndexOf(AGAIN) + 1);
}

/** The figures among the lines that tests printed: those of ledgers as one sum, each other one once. */
export function figuresIn(lines: readonly string[]): string[] {
  const told = lines.filter((line) => line.startsWith(MARK)).map((line) => line.slice(MARK.length));
  const sum = { acknowledged: 0, differences: 0, ledgers: 0 };
  const others = new Set<string>();
  for (const text of told) {
    const [, acknowledged, differences] = LEDGER.exec(text) ?? [];
    if (acknowledged === undefined) others.add(text);
    else {
      sum.acknowledged += Number(acknowledged);
      sum.differences += Number(differences);
      sum.ledgers += 1;
    }
  }
  return [...(sum.ledgers > 0 ? [`${sum.acknowledged} acknowledged, ${sum.differences} differences`] : []), ...others];
}
