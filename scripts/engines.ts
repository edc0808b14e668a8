/**
 * The engines for tests and trials: `npm run engines:install`, `engines:start`, `engines:stop`; `status` tells what runs. See engines/README.md.
 */
import { parseArgs } from 'node:util';
import { installBento } from './engines/install-bento.ts';
import { installKafka } from './engines/install-kafka.ts';
import { installKafkaClient } from './engines/install-kafka-client.ts';
import { installMongo } from './engines/install-mongo.ts';
import { startLocal, statusLocal, stopLocal } from './engines/local.ts';
import { cacheDirectory } from './engines/places.ts';
import { InstallError, say } from './engines/run.ts';

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  kafka: installKafka,
  'kafka-client': installKafkaClient,
  mongo: installMongo,
};
/** Only where they are named. */
const FURTHER: Readonly<Record<string, () => Promise<void>>> = { bento: installBento };
const ALL = { ...PARTS, ...FURTHER };

const USAGE = `usage: engines.ts install [${Object.keys(ALL).join(' | ')}]…
       engines.ts start [--brokers 1|3] | stop | status
`;

async function install(names: readonly string[]): Promise<void> {
  const unknown = names.filter((name) => !(name in ALL));
  if (unknown.length > 0) throw new InstallError(`there is no engine "${unknown[0]}"; there are ${Object.keys(ALL).join(', ')}`);
  say(`kept in ${cacheDirectory()}`);
  for (const name of names.length > 0 ? names : Object.keys(PARTS)) await ALL[name]?.();
  say('the engines are ready');
}

async function main([command, ...rest]: readonly string[]): Promise<void> {
  if (command === 'install') await install(rest);
  else if (command === 'start') {
    const { values } = parseArgs({ args: [...rest], options: { brokers: { type: 'string', default: '1' } } });
    if (values.brokers !== '1' && values.brokers !== '3') throw new InstallError('--brokers is 1 or 3');
    await startLocal(values.brokers === '3' ? 3 : 1);
  } else if (command === 'stop') await stopLocal();
  else if (command === 'status') process.exitCode = (await statusLocal()) ? 0 : 1;
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
