/** `playproof audit`: proves that feed, archive and analytics hold the same plays. */
import type { Command } from 'commander';
import { type Config, loadConfig, readEnvironment } from '../config.ts';
import { load } from './later.ts';

/** Promised by src/audit/main.ts. Prints what it compares and answers the exit code: 0 where the copies agree. */
interface AuditModule {
  readonly runAudit: (config: Config, options: { readonly json: boolean }) => Promise<number>;
}

export function addAudit(program: Command): void {
  program
    .command('audit')
    .description('compare feed, archive and analytics play by play; exit 1 where they differ')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: true }) => {
      const config = loadConfig(readEnvironment());
      const { runAudit } = await load<AuditModule>('src/audit/main.ts');
      process.exitCode = await runAudit(config, { json: json === true });
    });
}
