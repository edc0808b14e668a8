/** Writes the figures of the last test runs into the tables of docs/reliability.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { describeRuns, withFigures } from './reliability/matrix.ts';
import { allFigures } from './reliability/test-figures.ts';

const USAGE = `Usage: npm run reliability

Writes what the tests last came to into the column "last run" of docs/reliability.md. Run them before, here:

  npm test; npm run test:engines; npm run test:faults

A run by test names is not kept; a short one (FAULT_SCALE=smoke) is marked, and counts only where no full one is known.
Exit code 1 when a row names a test that did not pass, or when any test failed.

  --help         this text`;

const DOCUMENT = path.resolve(import.meta.dirname, '../docs/reliability.md');
const LAST_RUN = /(?<=<!-- last run -->\n).*/;

const { values } = parseArgs({ options: { help: { type: 'boolean' } } });
if (values.help) console.log(USAGE);
else process.exitCode = main();

function main(): number {
  const figures = allFigures();
  if (figures.length === 0) {
    console.error('No tests were run here: npm test; npm run test:engines; npm run test:faults');
    return 1;
  }
  const { text, missing } = withFigures(readFileSync(DOCUMENT, 'utf8'), figures);
  writeFileSync(DOCUMENT, text.replace(LAST_RUN, describeRuns(figures)));
  const tests = figures.flatMap(({ file, tests: ran }) => ran.map((test) => ({ ...test, name: `${file}: ${test.name}` })));
  const failed = tests.filter(({ state }) => state === 'failed');
  for (const row of missing) console.error(`not passed: a test of "${row}"`);
  for (const { name } of failed) console.error(`failed: ${name}`);
  for (const { name } of tests.filter(({ retries }) => retries > 0)) console.error(`tried again: ${name}`);
  console.log(`${path.relative(process.cwd(), DOCUMENT)} is written, of ${figures.length} test files`);
  return missing.length + failed.length === 0 ? 0 : 1;
}
