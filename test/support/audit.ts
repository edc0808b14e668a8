/** The audit of a data directory, in this process: what the command does, without its printing. */
import path from 'node:path';
import { audit, type AuditResult } from '../../src/audit/audit.ts';
import { Progress } from '../../src/audit/progress.ts';
import type { SampleSize } from '../../src/audit/sample.ts';
import { openForAudit } from '../../src/compose/audit.ts';
import { loadConfig } from '../../src/config.ts';
import { ADMIN_TOKEN, type Service } from './service.ts';

/** @param service Of the directory, where it runs. */
export async function auditOf(dataDir: string, signatures: SampleSize = 'all', service?: Service): Promise<AuditResult> {
  const config = loadConfig({ PLAYPROOF_DATA_DIR: path.join(dataDir, 'data'), PLAYPROOF_ADMIN_TOKEN: ADMIN_TOKEN });
  const engines = await openForAudit(config, { url: service?.url ?? null, token: null });
  try {
    return await audit({ ...engines, rules: config.rules, signatures, progress: new Progress({ write: () => {} }) });
  } finally {
    await engines.close();
  }
}

/** A line for each finding: kind, log_id, position. */
export function found({ findings }: AuditResult): string[] {
  return findings.map(({ kind, log_id, position }) => [kind, log_id, position].filter((part) => part !== null).join(' ')).sort();
}
