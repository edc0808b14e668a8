/** What a soak asks of an installation, whatever its engines. */
import type { Ledger } from '../support/ledger.ts';
import type { Service } from '../support/service.ts';
import type { Dice } from './schedule.ts';

export interface Fault {
  readonly name: string;
  /** Does it and undoes it; afterwards everything runs again, or is starting. @throws Error when it does not. */
  readonly run: (dice: Dice) => Promise<void>;
}

export interface AuditTold {
  /** As `playproof audit` ended; null: it could not be made. */
  readonly clean: boolean | null;
  /** Its summary, or why there is none. */
  readonly told: unknown;
}

export interface Stage {
  readonly faults: readonly Fault[];
  /** Faults that cannot be made here, with the reason. */
  readonly leftOut: readonly string[];
  /** Where the next request of a client goes; null while nobody listens. */
  readonly url: () => string | null;
  /** Who answers the administrator and reports. */
  readonly query: () => Service;
  /** Waits until every part answers. @throws Error when one does not, or ended though nobody ended it. */
  readonly whole: () => Promise<void>;
  /** Waits until everything that was acknowledged is settled and loaded. */
  readonly complete: (ledger: Ledger) => Promise<void>;
  /** Records that are not settled or not loaded yet, as the metrics say; null where nobody can say. */
  readonly backlog: () => Promise<number | null>;
  /** Resident bytes of our own processes together. */
  readonly residentBytes: () => number;
  /** The oracle. */
  readonly differences: (ledger: Ledger) => Promise<string[]>;
  readonly audit: () => Promise<AuditTold>;
  /** What the processes wrote last, for a failed run. */
  readonly output: () => string;
  readonly close: () => Promise<void>;
}

/** The sum of a metric over processes; null where none has it. */
export async function metric(services: readonly Service[], names: readonly string[]): Promise<number | null> {
  const values = await Promise.all(services.map((service) => metricsOf(service, names)));
  const known = values.flat();
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

const METRICS_MS = 1_000;

async function metricsOf(service: Service, names: readonly string[]): Promise<number[]> {
  if (service.ended) return [];
  try {
    const answer = await fetch(`${service.url}/metrics`, { signal: AbortSignal.timeout(METRICS_MS) });
    const text = await answer.text();
    return names.flatMap((name) => {
      const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
      return value === undefined ? [] : [Number(value)];
    });
  } catch {
    // It is stopped or starting: it has nothing to say now.
    return [];
  }
}

/** Runs `playproof audit` as an operator would. */
export async function auditBy(service: Service, env: Readonly<Record<string, string>>, args: readonly string[]): Promise<AuditTold> {
  const { code, stdout, stderr } = await service.run(['audit', '--json', ...args], env);
  const told: unknown = stdout.trim() === '' ? stderr.trim() : JSON.parse(stdout);
  if (stdout.trim() === '') return { clean: null, told };
  return { clean: code === 0, told };
}
