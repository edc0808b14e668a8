/** `playproof audit`: proves that feed, archive and analytics hold the same plays. */
import type { Command } from 'commander';
import type { RunAuditOptions } from '../audit/main.ts';
import { type Config, loadConfig, readEnvironment } from '../config.ts';
import { CommandFailed, EXIT_USAGE, sentenceOf } from './errors.ts';
import { load } from './later.ts';

/** The audit could not be made: nothing is known of the copies, which is not a fault of theirs. */
const EXIT_IMPOSSIBLE = 3;

/** Promised by src/audit/main.ts. Prints what it compares and answers the exit code: 0 where the copies agree. */
interface AuditModule {
  readonly runAudit: (config: Config, options: RunAuditOptions) => Promise<number>;
}

interface Options {
  readonly json?: true;
  readonly signatures: NonNullable<RunAuditOptions['signatures']>;
  readonly url?: string;
  readonly token?: string;
  readonly droppedMonths?: readonly string[];
}

export function addAudit(program: Command): void {
  program
    .command('audit')
    .description('prove that feed, archive and analytics hold the same plays, one by one; exit 1 where they do not')
    .option('--signatures <all|N|none>', 'how many plays are proven again by their signatures', sampleSize, 1_000)
    .option('--url <url>', 'where the service listens, when it runs and the settings do not say it')
    .option('--token <token>', "an administrator's token for the running service (PLAYPROOF_ADMIN_TOKEN)")
    .option('--dropped-months <yyyymm,…>', 'edge, cluster: months that were dropped from ClickHouse on purpose', months)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nIt never writes, and audits up to where the feed ends as it begins.\n' +
        'embedded: a stopped installation it opens itself; beside a running service it asks that for its analytics.\n' +
        'edge, cluster: it asks the engines themselves, with the settings of the services, whether or not these run; what it sorts on the way\n' +
        'goes to the directory for temporary files (TMPDIR), about 200 bytes for each play.\n' +
        'Exit codes: 0 the copies agree; 1 they do not; 2 a wrong option; 3 the audit could not be made: nothing is on stdout, a sentence on stderr.',
    )
    .action(async (options: Options) => {
      process.exitCode = await audit(options).catch((error: unknown) => {
        throw error instanceof CommandFailed ? error : new CommandFailed(sentenceOf(error), EXIT_IMPOSSIBLE);
      });
    });
}

async function audit({ json, signatures, url, token, droppedMonths }: Options): Promise<number> {
  const config = loadConfig(readEnvironment());
  const { runAudit } = await load<AuditModule>('src/audit/main.ts');
  return runAudit(config, {
    json: json === true,
    signatures,
    ...(url !== undefined && { url: urlOf(url) }),
    ...(token !== undefined && { token }),
    ...(droppedMonths !== undefined && { droppedMonths }),
  });
}

function sampleSize(text: string): NonNullable<RunAuditOptions['signatures']> {
  if (text === 'all' || text === 'none') return text;
  const size = /^\d{1,12}$/.test(text) ? Number(text) : 0;
  if (size < 1) throw new CommandFailed(`"${text}" is neither all, none, nor a whole number from 1.`, EXIT_USAGE);
  return size;
}

function months(text: string): readonly string[] {
  const named = text.split(',').map((month) => month.trim());
  const wrong = named.find((month) => !/^\d{4}(0[1-9]|1[0-2])$/.test(month));
  if (wrong !== undefined) throw new CommandFailed(`"${wrong}" is no month such as 202601.`, EXIT_USAGE);
  return named;
}

function urlOf(text: string): string {
  if (!/^https?:\/\/\S+$/.test(text)) throw new CommandFailed(`"${text}" is no address such as http://127.0.0.1:8080.`, EXIT_USAGE);
  return text;
}
