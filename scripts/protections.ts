/**
 * Shows that tests would notice: takes one protection of the service away at a time, in a copy of the sources, and runs the test
 * that holds it. That test has to fail, and to pass on the untouched copy before. `test/protections/` is the list.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { DISTRIBUTED } from '../test/protections/engines.ts';
import { EMBEDDED } from '../test/protections/embedded.ts';
import type { Protection } from '../test/protections/protection.ts';
import { controlOf, judgeControl, judgeWithout, type Report, type TestRun, type Verdict } from './protections/verdict.ts';

const USAGE = `Usage: npm run protections -- [options]

Takes one protection away at a time, in a copy, and runs the test that has to notice; each test file first once as it is, which has to be
green. Ends with \`N passed, N failed\`; passed: the test went red. Exit code 1 when a test stayed green, or was red before.

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
  const controls = new Map<string, Verdict>();
  let failed = 0;
  try {
    copySources(copy);
    for (const protection of chosen) {
      const control = controlOf(protection, chosen);
      const before = controls.get(control.key) ?? judgeControl(await runTest(copy, control));
      if (!controls.has(control.key)) console.log(`${before.ok ? 'green' : 'RED  '} ${control.test} as it is: ${before.told}`);
      controls.set(control.key, before);
      const without = before.ok
        ? await judged(copy, protection)
        : { ok: false, told: 'not tried: its test fails on the untouched sources' };
      console.log(`${without.ok ? 'red  ' : 'NOT RED'} ${protection.name}: ${protection.without}\n      ${without.told}`);
      if (!without.ok) failed += 1;
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  console.log(`\n${chosen.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function copySources(copy: string): void {
  for (const name of [...COPIED, 'vitest.config.ts', 'vitest.fault.config.ts', 'vitest.engines.config.ts']) {
    cpSync(path.join(ROOT, name), path.join(copy, name), { recursive: true, filter: (source) => path.basename(source) !== 'node_modules' });
  }
  for (const name of LINKED) {
    if (existsSync(path.join(ROOT, name))) symlinkSync(path.join(ROOT, name), path.join(copy, name));
  }
}

/** The test without the protection. */
async function judged(copy: string, protection: Protection): Promise<Verdict> {
  const file = path.join(copy, protection.file);
  const whole = readFileSync(file, 'utf8');
  if (whole.split(protection.find).length !== 2) return { ok: false, told: `${protection.file} does not hold its text once` };
  writeFileSync(
    file,
    whole.replace(protection.find, () => protection.replace),
  );
  try {
    return judgeWithout(await runTest(copy, protection));
  } finally {
    writeFileSync(file, whole);
  }
}

async function runTest(copy: string, { test, config, named, env }: TestRun): Promise<Report | null> {
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
