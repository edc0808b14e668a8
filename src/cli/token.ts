/** `playproof token create`: a bearer token, printed once; the service takes it at once. */
import path from 'node:path';
import { type Command, Option } from 'commander';
import { loadConfig, readEnvironment } from '../config.ts';
import { type Role, ROLES } from '../server/access.ts';
import { CommandFailed, EXIT_USAGE } from './errors.ts';

interface Options {
  readonly role: Role;
  readonly supplier?: string;
  readonly advertiser?: string;
  readonly label?: string;
}

export function addToken(program: Command): void {
  const token = program.command('token').description('bearer tokens of the HTTP API');
  token
    .command('create')
    .description('make a token and print it; it is kept as a hash only, so it cannot be printed again')
    .addOption(new Option('--role <role>', 'what its holder may do').choices(ROLES).makeOptionMandatory())
    .option('--supplier <id>', 'whose stores the role supplier sees (UUID)')
    .option('--advertiser <id>', 'whose campaigns the role advertiser sees (UUID)')
    .option('--label <text>', 'what the token is for')
    .action(async ({ role, supplier, advertiser, label }: Options) => {
      const { openForWriting, REGISTRY_FILE } = await import('../registry/database.ts');
      const { TokenRequestError, Tokens } = await import('../registry/tokens.ts');
      const config = loadConfig(readEnvironment());
      const db = openForWriting(path.join(config.dataDir, REGISTRY_FILE));
      try {
        const request = {
          role,
          ...(supplier !== undefined && { supplierId: supplier }),
          ...(advertiser !== undefined && { advertiserId: advertiser }),
          ...(label !== undefined && { label }),
        };
        console.log(new Tokens(db, config.adminToken).createToken(request));
      } catch (error) {
        if (error instanceof TokenRequestError) throw new CommandFailed(`${error.message}.`, EXIT_USAGE);
        throw error;
      } finally {
        db.close();
      }
    });
}
