/** Writes the figures of the last test runs into the tables of docs/reliability.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { withFigures } from './reliability/matrix.ts';
import { allFigures } from './reliability/test-figures.ts';

const USAGE = `Usage: npm run reliability

Writes what the tests last came to into the column "last run" of docs/reliability.md. Run them before, here:

  npm test; npm run test:engines; npm run test:faults

Exit code 1 when a row names a test that was not run, or that failed.

  --help         this text`;

const DOCUMENT = path.resolve(import.meta.dirname, '../docs/reliability.md');
const LAST_RUN = /(?<=<!-- last run -->\n).*/;

const { values } = parseArgs({ options: { help: { type: 'boolean' } } });
if (values.help) console.log(USAGE);
else process.exitCode = main();

function main(): number {
  const figures = allFigures();
  const { text, missing } = withFigures(readFileSync(DOCUMENT, 'utf8'), figures);
  const commits = [...new Set(figures.map(({ commit }) => commit ?? 'no checkout'))];
  const dates = figures.map(({ date }) => date.slice(0, 10)).toSorted();
  const of = `The column "last run" was written by \`npm run reliability\` from runs of ${dates[0]} to ${dates.at(-1)} at ${commits.join(', ')}.`;
  writeFileSync(DOCUMENT, text.replace(LAST_RUN, of));
  for (const row of missing) console.error(`not run: a test of "${row}"`);
  const failed = figures.flatMap(({ file, tests }) =>
    tests.filter(({ state }) => state === 'failed').map(({ name }) => `${file}: ${name}`),
  );
  for (const name of failed) console.error(`failed: ${name}`);
  console.log(`${path.relative(process.cwd(), DOCUMENT)} is written, of ${figures.length} test files`);
  return missing.length + failed.length === 0 ? 0 : 1;
}
