/** `playproof token create`: a bearer token, printed once; the service takes it at once. */
import path from 'node:path';
import { type Command, Option } from 'commander';
import { loadConfig, readEnvironment } from '../config.ts';
import type { TokenRequest } from '../registry/token-rules.ts';
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
      const { TokenRequestError } = await import('../registry/token-rules.ts');
      try {
        const made = await create({
          role,
          ...(supplier !== undefined && { supplierId: supplier }),
          ...(advertiser !== undefined && { advertiserId: advertiser }),
          ...(label !== undefined && { label }),
        });
        console.log(made);
      } catch (error) {
        if (error instanceof TokenRequestError) throw new CommandFailed(`${error.message}.`, EXIT_USAGE);
        throw error;
      }
    });
}

/** Where the tokens of the profile are: in the data directory, or in MongoDB. */
async function create(request: TokenRequest): Promise<string> {
  const { dataDir, adminToken, engines } = loadConfig(readEnvironment());
  if (engines) {
    const { MongoTokens } = await import('../registry/mongo-tokens.ts');
    const tokens = new MongoTokens(engines.mongodbUrl, { adminToken });
    try {
      return await tokens.createToken(request);
    } finally {
      await tokens.close();
    }
  }
  const { assertNotMoved } = await import('../copy/moved-mark.ts');
  assertNotMoved(dataDir);
  const { openForWriting, REGISTRY_FILE } = await import('../registry/database.ts');
  const { Tokens } = await import('../registry/tokens.ts');
  const db = openForWriting(path.join(dataDir, REGISTRY_FILE));
  try {
    return new Tokens(db, adminToken).createToken(request);
  } finally {
    db.close();
  }
}
