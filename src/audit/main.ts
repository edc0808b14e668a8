/** `playproof audit`, as the command line calls it. */
import { type AuditAccess, openForAudit } from '../compose/audit.ts';
import type { Config } from '../config.ts';
import { audit, type AuditResult } from './audit.ts';
import { AuditImpossible } from './http-analytics.ts';
import { Progress } from './progress.ts';
import type { SampleSize } from './sample.ts';
import { summaryOf } from './summary.ts';

export interface RunAuditOptions extends Partial<AuditAccess> {
  readonly json: boolean;
  /** Plays whose signature and verdict are proven again (1000). */
  readonly signatures?: SampleSize;
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
  if (config.profile !== 'embedded') {
    throw new AuditImpossible(`the audit of the profile ${config.profile} comes with a later version; this one audits embedded engines`);
  }
  const started = performance.now();
  const { mode, result } = await auditOnce(config, options).catch((error: unknown) => {
    throw damaged(error) ?? error;
  });
  const seconds = Math.round(performance.now() - started) / 1_000;
  if (options.json) console.log(JSON.stringify({ mode, ...result, seconds }, null, 2));
  else console.log(`${summaryOf(result)}\n${mode === 'live' ? 'beside the running service' : 'the service was stopped'}, ${seconds} s`);
  return result.clean ? 0 : 1;
}

async function auditOnce(config: Config, options: RunAuditOptions): Promise<{ mode: 'offline' | 'live'; result: AuditResult }> {
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
