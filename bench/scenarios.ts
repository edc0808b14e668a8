/** The loads that are run on an empty installation. */
import type { Scenario } from './measure.ts';
import type { LoadName } from './options.ts';

export interface ScenarioOptions {
  readonly seconds: number;
  /** Logs a second of the open loops. */
  readonly rate: number;
  readonly ids: 'v7' | 'v4';
}

type Kind = Pick<Scenario, 'about' | 'follow'> & { readonly batch: 1 | 100; readonly connections: number; readonly open: boolean };

const KINDS: Readonly<Record<LoadName, Kind>> = {
  batch: {
    about: '16 connections, each sends 100 logs as soon as the last 100 are answered',
    batch: 100,
    connections: 16,
    open: false,
  },
  single: {
    about: '128 connections, each sends one log as soon as the last one is answered',
    batch: 1,
    connections: 128,
    open: false,
  },
  'single-open': { about: 'one log a request at random instants, whatever comes back', batch: 1, connections: 256, open: true },
  open: { about: 'batches of 100 at random instants, whatever comes back', batch: 100, connections: 64, open: true, follow: true },
};

export function scenarioOf(name: LoadName, { seconds, rate, ids }: ScenarioOptions): Scenario {
  const { about, batch, connections, open, follow = false } = KINDS[name];
  return {
    name,
    about: open ? `${rate} logs a second, ${about}` : about,
    load: { batch, connections, seconds, rate: open ? rate : null },
    ids,
    follow,
  };
}
