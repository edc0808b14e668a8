/** The command line of the soak. */
import { parseArgs } from 'node:util';

export interface Options {
  readonly minutes: number;
  readonly profile: 'embedded' | 'cluster';
  readonly seed: number;
  /** Logs a second. */
  readonly rate: number;
  /** These faults alone; all when empty. */
  readonly only: readonly string[];
  /** Where the summary is written; null: nowhere. */
  readonly json: string | null;
}

/** What is wrong with the command line, in a sentence. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Two busy cores manage this beside the faults. */
const DEFAULT_RATE = { embedded: 500, cluster: 200 } as const;
const MAX_MINUTES = 10_080;
const MAX_RATE = 10_000;
const MAX_SEED = 0x7fff_ffff;

/** @throws UsageError */
export function readOptions(args: readonly string[]): Options {
  const text = { type: 'string' } as const;
  let values: Readonly<Record<string, string | undefined>>;
  try {
    const options = { minutes: text, profile: text, seed: text, rate: text, only: text, json: text };
    ({ values } = parseArgs({ args: [...args], options }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const profile = values['profile'] ?? 'embedded';
  if (profile !== 'embedded' && profile !== 'cluster') throw new UsageError(`--profile is ${profile}; it must be embedded or cluster`);
  if (values['minutes'] === undefined) throw new UsageError('--minutes says how long faults and load last, for example --minutes 30');
  return {
    minutes: numberOf('--minutes', values['minutes'], MAX_MINUTES),
    profile,
    seed: Math.trunc(numberOf('--seed', values['seed'] ?? String(1 + (Date.now() % 1_000_000)), MAX_SEED)),
    rate: numberOf('--rate', values['rate'] ?? String(DEFAULT_RATE[profile]), MAX_RATE),
    only: values['only']?.split(',').filter(Boolean) ?? [],
    json: values['json'] ?? null,
  };
}

function numberOf(name: string, text: string, most: number): number {
  const value = /^\d{1,10}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value > 0 && value <= most)) throw new UsageError(`${name} is ${text}; it must be a number above 0 and up to ${most}`);
  return value;
}
