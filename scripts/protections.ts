/**
 * Shows that tests would notice: takes one protection of the service away at a time, in a copy of the sources, and runs the test
 * that holds it. That test has to fail. `test/protections/` is the list.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { DISTRIBUTED } from '../test/protections/engines.ts';
import { EMBEDDED } from '../test/protections/embedded.ts';
import type { Protection } from '../test/protections/protection.ts';

const USAGE = `Usage: npm run protections -- [options]

Takes one protection away at a time, in a copy, and runs the test that has to notice. Ends with \`N passed, N failed\`; passed: the test
went red. Exit code 1 when a test stayed green.

  --engines      those on the real engines too (needs \`npm run engines:install\`)
  --only NAME    one of them
  --list         name them all, and run none
  --help         this text`;

const ROOT = path.resolve(import.meta.dirname, '..');
const COPIED = [
  'src',
  'test',
  'scripts',
  'bench',
  'bin',
  'device',
  'engines',
  'docs',
  'examples',
  'console',
  'package.json',
  'tsconfig.json',
];
const LINKED = ['node_modules', 'engines/kafka-client/node_modules'];
const MAX_TEST_MS = 600_000;

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const { values } = parseArgs({
  options: { engines: { type: 'boolean' }, only: { type: 'string' }, list: { type: 'boolean' }, help: { type: 'boolean' } },
});
if (values.help) console.log(USAGE);
else process.exitCode = await main();

async function main(): Promise<number> {
  const all = [...EMBEDDED, ...(values.engines ? DISTRIBUTED : [])];
  const chosen = values.only === undefined ? all : [...EMBEDDED, ...DISTRIBUTED].filter(({ name }) => name === values.only);
  if (chosen.length === 0) {
    console.error(`There is no protection "${values.only}"; \`npm run protections -- --list\` names them.`);
    return 2;
  }
  if (values.list) {
    for (const { name, holds, without } of chosen) console.log(`${name.padEnd(26)}${holds}; without: ${without}`);
    return 0;
  }
  const copy = mkdtempSync(path.join(tmpdir(), 'playproof-protections-'));
  let stayedGreen = 0;
  try {
    copySources(copy);
    for (const protection of chosen) {
      const red = await goesRed(copy, protection);
      console.log(`${red.ok ? 'red  ' : 'GREEN'} ${protection.name}: ${protection.without}\n      ${red.told}`);
      if (!red.ok) stayedGreen += 1;
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  console.log(`\n${chosen.length - stayedGreen} passed, ${stayedGreen} failed`);
  return stayedGreen === 0 ? 0 : 1;
}

function copySources(copy: string): void {
  for (const name of [...COPIED, 'vitest.config.ts', 'vitest.fault.config.ts', 'vitest.engines.config.ts']) {
    cpSync(path.join(ROOT, name), path.join(copy, name), { recursive: true, filter: (source) => path.basename(source) !== 'node_modules' });
  }
  for (const name of LINKED) {
    if (existsSync(path.join(ROOT, name))) symlinkSync(path.join(ROOT, name), path.join(copy, name));
  }
}

async function goesRed(copy: string, protection: Protection): Promise<{ readonly ok: boolean; readonly told: string }> {
  const file = path.join(copy, protection.file);
  const whole = readFileSync(file, 'utf8');
  if (whole.split(protection.find).length !== 2) return { ok: false, told: `${protection.file} does not hold its text once` };
  writeFileSync(
    file,
    whole.replace(protection.find, () => protection.replace),
  );
  try {
    return judge(await runTest(copy, protection));
  } finally {
    writeFileSync(file, whole);
  }
}

/** Red counts where a test ran and failed; code that cannot be loaded shows nothing. */
function judge(report: Report | null): { readonly ok: boolean; readonly told: string } {
  if (report === null) return { ok: false, told: 'vitest wrote no report' };
  const results = report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => /^(passed|failed)$/.test(status));
  const failed = results.filter(({ status }) => status === 'failed');
  const [first] = failed;
  if (!first) return { ok: false, told: `${report.numPassedTests} tests passed, none failed` };
  const said = (first.failureMessages[0] ?? '').split('\n')[0] ?? '';
  // What vitest's report has in place of a message where a test ran out of its time.
  const message = said.includes('STACK_TRACE_ERROR') ? 'it did not end in its time' : said;
  return { ok: true, told: `${failed.length} of ${results.length} failed, first "${first.fullName}": ${message.slice(0, 160)}` };
}

async function runTest(copy: string, { test, config, named, env }: Protection): Promise<Report | null> {
  const output = path.join(copy, 'protections-report.json');
  rmSync(output, { force: true });
  const args = ['run', test, '--retry=0', '--reporter=json', `--outputFile=${output}`];
  if (config) args.push('-c', config);
  if (named) args.push('-t', named);
  const child = spawn(path.join(ROOT, 'node_modules/.bin/vitest'), args, {
    cwd: copy,
    stdio: 'ignore',
    env: { ...process.env, ...env },
    timeout: MAX_TEST_MS,
  });
  await new Promise((resolve) => child.once('close', resolve));
  return existsSync(output) ? (JSON.parse(readFileSync(output, 'utf8')) as Report) : null;
}
