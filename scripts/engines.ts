/**
 * The engines for tests and trials: `npm run engines:install`, `engines:start`, `engines:stop`, and `node scripts/engines.ts status`.
 * See engines/README.md.
 */
import { installKafka } from './engines/install-kafka.ts';
import { installKafkaClient } from './engines/install-kafka-client.ts';
import { installMongo } from './engines/install-mongo.ts';
import { cacheDirectory } from './engines/places.ts';
import { InstallError, say } from './engines/run.ts';

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  kafka: installKafka,
  'kafka-client': installKafkaClient,
  mongo: installMongo,
};

const USAGE = `usage: engines.ts install [${Object.keys(PARTS).join(' | ')}]…
       engines.ts start | stop | status
`;

async function install(names: readonly string[]): Promise<void> {
  const unknown = names.filter((name) => !(name in PARTS));
  if (unknown.length > 0) throw new InstallError(`there is no engine "${unknown[0]}"; there are ${Object.keys(PARTS).join(', ')}`);
  say(`kept in ${cacheDirectory()}`);
  for (const name of names.length > 0 ? names : Object.keys(PARTS)) await PARTS[name]?.();
  say('the engines are ready');
}

async function main([command, ...rest]: readonly string[]): Promise<void> {
  if (command === 'install') await install(rest);
  else {
    process.stderr.write(USAGE);
    process.exitCode = 2;
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(error instanceof InstallError ? `${error.message}\n` : `${(error as Error).stack}\n`);
  process.exitCode = 1;
}
