/** `playproof audit`, as the command line calls it. */
import { type AuditAccess, openForAudit } from '../compose/audit.ts';
import type { Config, EngineSettings } from '../config.ts';
import { audit, type AuditResult } from './audit.ts';
import { auditEngines, type EngineAuditResult } from './engines/audit.ts';
import { engineSummaryOf } from './engines/summary.ts';
import { AuditImpossible } from './http-analytics.ts';
import { Progress } from './progress.ts';
import type { SampleSize } from './sample.ts';
import { summaryOf } from './summary.ts';

export interface RunAuditOptions extends Partial<AuditAccess> {
  readonly json: boolean;
  /** Plays whose signature and verdict are proven again (1000). */
  readonly signatures?: SampleSize;
  /** Months (`202601`) that were dropped from analytics; only where that is a server. */
  readonly droppedMonths?: readonly string[];
}

const SAMPLE = 1_000;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/**
 * Prints what was found and answers the exit code: 0 where everything agrees, 1 where it does not.
 *
 * @throws AuditImpossible, or another error with a sentence, where the audit cannot be made.
 */
export async function runAudit(config: Config, options: RunAuditOptions): Promise<number> {
  const started = performance.now();
  const { mode, result, summary } = await auditAny(config, options).catch((error: unknown) => {
    throw damaged(error) ?? error;
  });
  const seconds = Math.round(performance.now() - started) / 1_000;
  if (options.json) console.log(JSON.stringify({ profile: config.profile, mode, ...result, seconds }, null, 2));
  else console.log(`${summary}\n${MODES[mode]}, ${seconds} s`);
  return result.clean ? 0 : 1;
}

const MODES = {
  offline: 'the service was stopped',
  live: 'beside the running service',
  engines: 'on the engines of the installation, whether or not its services run',
};

interface Audited {
  readonly mode: keyof typeof MODES;
  readonly result: AuditResult | EngineAuditResult;
  readonly summary: string;
}

async function auditAny(config: Config, options: RunAuditOptions): Promise<Audited> {
  if (config.engines) {
    const result = await auditDistributed(config, config.engines, options);
    return { mode: 'engines', result, summary: engineSummaryOf(result) };
  }
  if (options.droppedMonths !== undefined)
    throw new AuditImpossible(
      'embedded analytics keeps every month: leave out --dropped-months; what was lost is loaded again from the feed',
    );
  const { mode, result } = await auditEmbedded(config, options);
  return { mode, result, summary: summaryOf(result) };
}

async function auditDistributed(config: Config, engines: EngineSettings, options: RunAuditOptions): Promise<EngineAuditResult> {
  if (options.url !== undefined || options.token !== undefined)
    throw new AuditImpossible(`on the profile ${config.profile} the engines are asked themselves: leave out --url and --token`);
  // Kafka's client is loaded only where there is Kafka.
  const { openEnginesForAudit } = await import('../compose/audit-engines.ts');
  const opened = await openEnginesForAudit(config, engines);
  try {
    const signatures = options.signatures ?? SAMPLE;
    const droppedMonths = new Set(options.droppedMonths);
    return await auditEngines({ ...opened, rules: config.rules, signatures, droppedMonths, progress: new Progress() });
  } finally {
    await opened.close();
  }
}

async function auditEmbedded(config: Config, options: RunAuditOptions): Promise<{ mode: 'offline' | 'live'; result: AuditResult }> {
  const engines = await openForAudit(config, { url: options.url ?? null, token: options.token ?? null });
  try {
    const signatures = options.signatures ?? SAMPLE;
    return { mode: engines.mode, result: await audit({ ...engines, rules: config.rules, signatures, progress: new Progress() }) };
  } finally {
    await engines.close();
  }
}

/** What SQLite cannot read, the audit cannot look through. */
function damaged(error: unknown): AuditImpossible | null {
  const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
  if (code !== SQLITE_CORRUPT && code !== SQLITE_NOTADB) return null;
  return new AuditImpossible(
    `SQLite itself cannot read the database (${(error as Error).message}): pages of the file are damaged; restore it from a backup, and look at the disk`,
    { cause: error },
  );
}
