/**
 * Hostile HTTP: schemathesis makes requests from `/openapi.json`, sound ones and broken ones, against the real service with plays in it; once
 * for each kind of caller. What is answered must be documented: status, content type, headers, shape, and never a 5xx.
 *
 * The same seed makes the same requests, but for ids that the service gives. Says at the end how many there were. Ends with 1 on any finding.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { call, send } from '../test/support/http.ts';
import { waitComplete } from '../test/support/oracle.ts';
import { importWorld, makeWorld, play, type World } from '../test/support/registry.ts';
import { ADMIN_TOKEN, makeDataDir, removeDataDir, Service } from '../test/support/service.ts';
import { InstallError, say } from './engines/run.ts';
import { pythonTool, SCHEMATHESIS } from './fuzz/python.ts';

const USAGE = `Usage: npm run fuzz:http -- [options]

Requests made from /openapi.json by schemathesis, against a service of its own. Exit code 1 on a 5xx or an answer that is not documented.

  --seed N       the same seed makes the same requests (1)
  --examples N   random examples for each operation, beside the systematic ones (10)
  --as LIST      of admin, operator, supplier, advertiser, nobody; by commas (all)
  --help         this text`;

const CALLERS = ['admin', 'operator', 'supplier', 'advertiser', 'nobody'] as const;
type Caller = (typeof CALLERS)[number];

/** Of one run of schemathesis, also on a busy machine; past it the run is a finding, so that it is never cut short in silence. */
const RUN_TIMEOUT_MS = 600_000;

/** Whatever is in the document must be answered as it says; a request that breaks it must be refused; a missing token must matter. */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'unsupported_method',
  'allow_header_conformance',
  'ignored_auth',
];

interface Options {
  readonly seed: number;
  readonly examples: number;
  readonly callers: readonly Caller[];
}

/** Plays, refusals and unfinished things, so that there is something to read and to break. */
async function fill(service: Service, world: World): Promise<void> {
  await importWorld(service, world);
  for (let n = 0; n < 20; n += 1) {
    const answer = await send(service, play(world, { device: n % 2, campaign: n % 3 === 0 ? 1 : 0 }).body);
    if (answer.status !== 202) throw new Error(`a good log was answered ${answer.status}: ${answer.text}`);
  }
  await send(service, play(world, { endedAt: Date.now() - 30 * 3_600_000 }).body);
  await send(service, '{"log_id":7}');
  await waitComplete(service);
}

async function tokenOf(caller: Caller, service: Service, world: World): Promise<string | null> {
  if (caller === 'nobody') return null;
  if (caller === 'admin') return ADMIN_TOKEN;
  const whose = {
    operator: [],
    supplier: ['--supplier', world.stores[0].supplierId],
    advertiser: ['--advertiser', world.campaigns[0].advertiserId],
  }[caller];
  return service.command('token', 'create', '--role', caller, ...whose);
}

/** Each import is read by a thread of its own: the hundreds of systematic cases of its large schema would take all the time. */
const IMPORT = '/api/v1/registry/import';
const ROUNDS = [
  ['--exclude-path', IMPORT, '--phases', 'examples,coverage,fuzzing'],
  ['--include-path', IMPORT, '--phases', 'examples,fuzzing'],
] as const;

const OPTIONS =
  '--generation-database none --request-timeout 40 --continue-on-failure --no-shrink --no-color --warnings off --suppress-health-check all';

interface Found {
  readonly sound: boolean;
  readonly cases: number;
}

/** As schemathesis counts them in its summary. */
const CASES = /^Test cases:\n\s*(\d+) generated/m;

/** Its output is passed on. A run that made no cases shows nothing, and is a finding. */
function schemathesis(
  commands: string,
  service: Service,
  token: string | null,
  round: readonly string[],
  { seed, examples }: Options,
): Promise<Found> {
  const args = [
    'run',
    `${service.url}/openapi.json`,
    ...round,
    ...(token === null ? [] : ['--header', `Authorization: Bearer ${token}`]),
    ...OPTIONS.split(' '),
    '--seed',
    String(seed),
    '--max-examples',
    String(examples),
    '--checks',
    CHECKS.join(','),
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(path.join(commands, 'schemathesis'), args, { cwd: service.dataDir, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      process.stdout.write(chunk);
    });
    const timer = setTimeout(() => {
      say(`not done within ${RUN_TIMEOUT_MS / 1000} s: use fewer --examples`);
      child.kill('SIGKILL');
    }, RUN_TIMEOUT_MS);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      const cases = Number(CASES.exec(output)?.[1] ?? 0);
      resolve({ sound: code === 0 && cases > 0, cases });
    });
  });
}

async function fuzz(options: Options): Promise<Found> {
  const commands = await pythonTool(SCHEMATHESIS);
  const dataDir = makeDataDir();
  const world = makeWorld();
  const service = await Service.start({ dataDir });
  let sound = true;
  let cases = 0;
  try {
    await fill(service, world);
    for (const caller of options.callers) {
      say(`as ${caller}, seed ${options.seed}, ${options.examples} examples for each operation`);
      const token = await tokenOf(caller, service, world);
      for (const round of ROUNDS) {
        const found = await schemathesis(commands, service, token, round, options);
        say(`as ${caller}: ${found.cases} cases, ${found.sound ? 'nothing found' : 'FINDINGS, see above'}`);
        sound &&= found.sound;
        cases += found.cases;
      }
    }
    // What was made of it must still work: the service lives, takes a log, and has nothing to report about itself.
    const health = await call(service, '/health/ready');
    const faults = service.output.split('\n').filter((line) => /"level":(50|60)/.test(line));
    if (health.status !== 200) say(`afterwards /health/ready answered ${health.status}: ${health.text}`);
    for (const line of faults.slice(0, 20)) say(`the service logged a fault: ${line}`);
    return { sound: sound && health.status === 200 && faults.length === 0, cases };
  } finally {
    await service.stop();
    removeDataDir(dataDir);
  }
}

function optionsOf(args: string[]): Options | null {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string', default: '1' },
      examples: { type: 'string', default: '10' },
      as: { type: 'string', default: CALLERS.join(',') },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return null;
  const callers = values.as.split(',').map((name) => {
    const caller = CALLERS.find((known) => known === name);
    if (caller === undefined) throw new InstallError(`--as takes ${CALLERS.join(', ')}; not ${name}`);
    return caller;
  });
  const [seed, examples] = [Number(values.seed), Number(values.examples)];
  if (!Number.isSafeInteger(seed) || !(Number.isSafeInteger(examples) && examples > 0)) {
    throw new InstallError('--seed and --examples are whole numbers');
  }
  return { seed, examples, callers };
}

try {
  const options = optionsOf(process.argv.slice(2));
  if (options === null) console.log(USAGE);
  else {
    const { sound, cases } = await fuzz(options);
    const { seed, examples, callers } = options;
    say(`seed ${seed}, --examples ${examples}, as ${callers.join(', ')}: ${cases} cases, ${sound ? 'no findings' : 'THERE ARE FINDINGS'}`);
    process.exitCode = sound ? 0 : 1;
  }
} catch (error) {
  process.stderr.write(error instanceof InstallError ? `${error.message}\n` : `${(error as Error).stack}\n`);
  process.exitCode = 1;
}
