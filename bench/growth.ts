/** What a large past costs: the same load on an empty installation and on one that holds millions of logs. */
import { type AuditRun, runAudit } from './audit-run.ts';
import { diskFault } from './disk-room.ts';
import { grow, type Grown } from './grow/grow.ts';
import { type Measured, measure, type MeasureOptions, type Scenario } from './measure.ts';
import { keepTemporary, makeTemporary, removeTemporary } from './temporary.ts';
import { measureReport, type ReportSpeed } from './report-speed.ts';

export interface GrowthPlan {
  readonly logs: number;
  readonly ids: 'v7' | 'v4';
  /** Of each load. */
  readonly seconds: number;
  /** Whether report and audit over the past are measured too. */
  readonly reading: boolean;
  /** Keeps the data directory with the past. */
  readonly keep: boolean;
}

export interface Growth {
  readonly plan: GrowthPlan;
  /** Null: there was not enough room on the disk, and nothing was run. */
  readonly skipped: string | null;
  readonly grown: Grown | null;
  /** Before and after the one on the past, so that a machine that gets faster or slower is not mistaken for the past. */
  readonly empty: readonly Measured[];
  readonly full: Measured | null;
  readonly report: ReportSpeed | null;
  readonly audit: AuditRun | null;
  /** Where the past lies, where it was to be kept. */
  readonly keptIn: string | null;
  readonly faults: readonly string[];
}

export interface GrowthOptions extends Omit<MeasureOptions, 'stored' | 'started' | 'inspect'> {
  readonly tell: (text: string) => void;
}

export async function runGrowth(plan: GrowthPlan, options: GrowthOptions): Promise<Growth> {
  const skipped = diskFault(options.directory, plan.logs);
  if (skipped !== null) {
    return { plan, skipped, grown: null, empty: [], full: null, report: null, audit: null, keptIn: null, faults: [] };
  }
  const { tell } = options;
  const scenario = (stored: string): Scenario => ({
    name: `batch on ${stored}`,
    about: `16 connections, batches of 100, ids of ${plan.ids}, on ${stored}`,
    load: { batch: 100, connections: 16, seconds: plan.seconds, rate: null },
    ids: plan.ids,
  });
  const millions = `${plan.logs / 1e6} million logs`;
  const dataDir = makeTemporary(options.directory, 'playproof-grown-');
  try {
    const first = await measure(scenario('nothing'), { ...options, stored: null });
    const grown = await grow(dataDir, plan.logs, plan.ids, tell);
    const audit = plan.reading ? await runAudit(dataDir, plan.logs, tell) : null;
    let report: ReportSpeed | null = null;
    const full = await measure(scenario(millions), {
      ...options,
      stored: { dataDir, logs: plan.logs },
      started: async (service) => {
        if (!plan.reading) return;
        tell('report by campaign and day over a month');
        report = await measureReport(service, grown.from, grown.to, plan.logs);
      },
    });
    if (plan.keep) keepTemporary(dataDir);
    else removeTemporary(dataDir);
    const second = await measure(scenario('nothing'), { ...options, stored: null });
    const faults = [first, full, second].flatMap((run) => run.faults.map((fault) => `${run.scenario.name}: ${fault}`));
    faults.push(...(audit?.faults ?? []), ...((report as ReportSpeed | null)?.faults ?? []));
    return { plan, skipped, grown, empty: [first, second], full, report, audit, keptIn: plan.keep ? dataDir : null, faults };
  } catch (error) {
    removeTemporary(dataDir);
    throw error;
  }
}

/** Logs a second on the past ÷ the mean of those on nothing; null where it was not run. */
export function growthRatio({ empty, full }: Pick<Growth, 'empty' | 'full'>): number | null {
  if (!full || empty.length === 0) return null;
  return full.logsPerSecond / (empty.reduce((sum, run) => sum + run.logsPerSecond, 0) / empty.length);
}
