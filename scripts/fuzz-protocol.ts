/**
 * The strict reader, the schema and the canonical form held against a second implementation in Python (`scripts/fuzz/reference.py`), on bodies
 * that look like logs: the same verdict, the same fields at fault, the same bytes to be verified; alone and in a batch.
 *
 * A round has a seed of its own, counted up from the first; a difference tells it, and `--seed` with it begins there. Ends with 1 on any.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { canonicalText } from '../src/domain/canonical-value.ts';
import { DEFAULT_RULES } from '../src/domain/limits.ts';
import { decodeLog } from '../src/domain/playback-log.ts';
import { type RawLog, readBatch, readSingleLog } from '../src/domain/strict-json.ts';
import { randomFrom } from '../test/support/load.ts';
import { InstallError, say } from './engines/run.ts';
import { LogTexts } from './fuzz/log-text.ts';
import { pythonTool, RFC8785 } from './fuzz/python.ts';

const USAGE = `Usage: npm run fuzz:protocol -- [options]

Bodies that look like logs, judged by the service's code and by a second implementation in Python. Exit code 1 on a difference.

  --seconds N    how long (60)
  --seed N       of the first round; a difference names the seed of its own (1)
  --help         this text`;

const BODIES_PER_ROUND = 400;
const LOGS_PER_BATCH = 20;
const MAX_DIFFERENCES = 10;
const TELL_EVERY_MS = 10_000;

interface Judgement {
  readonly verdict: 'no-json' | 'malformed' | 'too_large' | 'fine';
  /** RFC 8785 without the member `signature`, base64. */
  readonly canonical?: string;
  readonly fields?: readonly string[];
}

class Reference {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(python: string) {
    const script = path.join(import.meta.dirname, 'fuzz/reference.py');
    this.#child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (!this.#child.stdout) throw new Error('the reference has no output');
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async judge(bodies: readonly Buffer[]): Promise<Judgement[]> {
    this.#child.stdin?.write(`${JSON.stringify(bodies.map((body) => body.toString('base64')))}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the reference ended; what it said stands above');
    return JSON.parse(value) as Judgement[];
  }

  end(): void {
    this.#child.stdin?.end();
  }
}

/** What the service says of a body that was sent alone. */
function ours(body: Buffer): Judgement {
  const read = readSingleLog(body);
  if (!read.ok) return { verdict: read.code === 'too_large' ? 'too_large' : 'no-json' };
  return judgementOf(read.value);
}

function judgementOf({ value, fault }: RawLog): Judgement {
  if (fault) return { verdict: fault.code };
  const { signature: _signature, ...unsigned } = value as Record<string, unknown>;
  const text = canonicalText(unsigned);
  const decoded = decodeLog(value as object, DEFAULT_RULES);
  // The fast form for logs has to be the general one.
  const canonical = decoded.ok && decoded.log.canonical.toString('utf8') !== text ? decoded.log.canonical : Buffer.from(text);
  return { verdict: 'fine', canonical: canonical.toString('base64'), fields: decoded.ok ? [] : decoded.fields };
}

/** A sentence for each way in which the two differ. */
function differences(mine: Judgement, reference: Judgement): string[] {
  if (mine.verdict !== reference.verdict) return [`verdict ${mine.verdict}, the reference says ${reference.verdict}`];
  const found: string[] = [];
  if (mine.canonical !== reference.canonical) found.push(`canonical ${textOf(mine)}, the reference has ${textOf(reference)}`);
  const [fields, expected] = [mine, reference].map((one) => JSON.stringify([...(one.fields ?? [])].sort()));
  if (fields !== expected) found.push(`fields ${fields}, the reference has ${expected}`);
  return found;
}

function textOf({ canonical }: Judgement): string {
  return Buffer.from(canonical ?? '', 'base64').toString('utf8');
}

/** Logs whose text is sound JSON, in batches: a neighbour changes nothing. */
function* batchDifferences(bodies: readonly Buffer[], judged: readonly Judgement[]): Generator<[Buffer, string]> {
  const sound = bodies.flatMap((body, i) => {
    const reference = judged[i];
    return reference && (reference.verdict === 'malformed' || reference.verdict === 'fine') ? [{ body, reference }] : [];
  });
  for (let from = 0; from < sound.length; from += LOGS_PER_BATCH) {
    const part = sound.slice(from, from + LOGS_PER_BATCH);
    const list = Buffer.from(`[${part.map(({ body }) => body.toString('utf8')).join(',')}]`);
    const read = readBatch(list, LOGS_PER_BATCH);
    for (const [i, { body, reference }] of part.entries()) {
      const log = read.ok ? read.value.logs[i] : undefined;
      if (!log) yield [body, 'the batch was refused as a whole'];
      else for (const difference of differences(judgementOf(log), reference)) yield [body, `in a batch: ${difference}`];
    }
  }
}

interface Counts {
  rounds: number;
  bodies: number;
  differences: number;
  readonly verdicts: Record<string, number>;
}

async function round(seed: number, reference: Reference, counts: Counts): Promise<void> {
  const texts = new LogTexts(randomFrom(seed));
  const bodies = Array.from({ length: BODIES_PER_ROUND }, () => texts.next());
  const judged = await reference.judge(bodies);
  const tell = (body: Buffer, what: string): void => {
    counts.differences += 1;
    if (counts.differences <= MAX_DIFFERENCES)
      say(`seed ${seed}: ${what}\n  body ${JSON.stringify(body.toString('utf8').slice(0, 1_000))}`);
  };
  for (const [i, body] of bodies.entries()) {
    const expected = judged[i] as Judgement;
    for (const difference of differences(ours(body), expected)) tell(body, difference);
    const kind = expected.verdict === 'fine' ? (expected.fields?.length ? 'invalid_field' : 'a log') : expected.verdict;
    counts.verdicts[kind] = (counts.verdicts[kind] ?? 0) + 1;
  }
  for (const [body, difference] of batchDifferences(bodies, judged)) tell(body, difference);
  counts.rounds += 1;
  counts.bodies += bodies.length;
}

async function fuzz(seconds: number, seed: number): Promise<boolean> {
  const reference = new Reference(path.join(await pythonTool(RFC8785), 'python'));
  const counts: Counts = { rounds: 0, bodies: 0, differences: 0, verdicts: {} };
  const line = (): string => `${counts.bodies} bodies, ${counts.differences} differences, ${JSON.stringify(counts.verdicts)}`;
  say(`seed ${seed}, ${seconds} s`);
  const started = performance.now();
  let told = started;
  try {
    while (performance.now() - started < seconds * 1000 && counts.differences < MAX_DIFFERENCES) {
      await round(seed + counts.rounds, reference, counts);
      if (performance.now() - told < TELL_EVERY_MS) continue;
      told = performance.now();
      say(line());
    }
  } finally {
    reference.end();
  }
  say(`done after ${counts.rounds} rounds: ${line()}`);
  return counts.differences === 0;
}

try {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' }, help: { type: 'boolean' } },
  });
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
  if (!(seconds > 0) || !Number.isSafeInteger(seed)) throw new InstallError('--seconds is a number above 0, --seed a whole number');
  if (values.help) console.log(USAGE);
  else process.exitCode = (await fuzz(seconds, seed)) ? 0 : 1;
} catch (error) {
  process.stderr.write(error instanceof InstallError ? `${error.message}\n` : `${(error as Error).stack}\n`);
  process.exitCode = 1;
}
