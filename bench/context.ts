/** What every kind of measurement is handed, and what it hands back. */
import { liveLine } from './describe.ts';
import type { InstallationOptions } from './installation.ts';
import type { Drawn } from './load-charts.ts';
import { type Machine, measureVerifySpeed, type VerifySpeed } from './machine.ts';
import type { MeasureOptions } from './measure.ts';
import { measureMemorySpeed, type MemorySpeed } from './memory-speed.ts';
import type { BenchOptions } from './options.ts';

export interface Context {
  readonly options: BenchOptions;
  readonly directory: string;
  readonly machine: Machine;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly tell: (text: string) => void;
  /** Writes what there is so far to the file of figures. */
  readonly save: (figures: object) => void;
}

export interface Outcome {
  readonly text: readonly string[];
  /** Null: there is nothing for the file. */
  readonly figures: object | null;
  readonly drawn: readonly Drawn[];
  /** Wrong counts, a sentence each. */
  readonly faults: readonly string[];
}

export function installationOf({ options, directory }: Context): InstallationOptions {
  const { ids, prepareMegabytes, profile } = options;
  return { directory, ids, prepareMegabytes, profile, stored: null };
}

export function measureOptionsOf(context: Context): MeasureOptions {
  return {
    ...installationOf(context),
    onSecond: (scenario, second) => context.tell(liveLine(scenario.name, scenario.load.seconds, second)),
  };
}

/** What this machine can do at the moment, with nothing running. */
export interface Speed extends VerifySpeed {
  readonly memory: MemorySpeed;
}

export async function measureSpeed(tell: Context['tell']): Promise<Speed> {
  tell('how many signatures this machine verifies');
  return { ...(await measureVerifySpeed()), memory: measureMemorySpeed() };
}

/** What every file of figures begins with. */
export function head({ startedAt, machine }: Context): { format: 1; startedAt: string; machine: Machine } {
  return { format: 1, startedAt, machine };
}
