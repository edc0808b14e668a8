/**
 * The native Kafka client: its package from the npm registry, its addon built here against the headers of the Node that runs this,
 * and kept per Node version.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory, CLIENT_FOLDER, completeMark } from './places.ts';
import { InstallError, run, say } from './run.ts';
import { needCommands, needPackages } from './system-packages.ts';

const PACKAGE = '@confluentinc/kafka-javascript';
const PLACE = path.join(CLIENT_FOLDER, 'node_modules', PACKAGE);
/** Of some 80 MB of build this is what is loaded: the addon, and the libraries that it looks for in `../deps`. */
const LOADED = ['Release/confluent-kafka-javascript.node', 'deps/librdkafka.so.1', 'deps/librdkafka++.so.1'];
/** librdkafka is built with TLS, SASL, zlib and zstd of the system. */
const LIBRARIES = ['libssl-dev', 'zlib1g-dev', 'libzstd-dev', 'libsasl2-dev', 'libcurl4-openssl-dev'];
const LEAST_NODE = 26;

export async function installKafkaClient(): Promise<void> {
  const version = await lockedVersion();
  const label = `Kafka client ${version}`;
  if (Number(process.versions.node.split('.', 1)[0]) < LEAST_NODE) {
    throw new InstallError(`${label}: Node ${process.version} is too old; use npm run, which runs the project's own Node ${LEAST_NODE}`);
  }
  if ((await installedVersion()) !== version) {
    say(`${label}: fetching the package`);
    await run('npm', ['ci', '--ignore-scripts'], { cwd: CLIENT_FOLDER });
  }
  const kept = path.join(cacheDirectory(), `kafka-client-${version}-node-${process.version}-${process.platform}-${process.arch}`);
  if ((await loadFault()) === null) {
    if (!existsSync(completeMark(kept)) && LOADED.every((file) => existsSync(path.join(PLACE, 'build', file)))) await keep(kept);
    say(`${label}: already there`);
    return;
  }
  if (existsSync(completeMark(kept))) {
    await put(kept);
    if ((await loadFault()) === null) {
      say(`${label}: as built earlier for Node ${process.version}`);
      return;
    }
    say(`${label}: what was built earlier does not load any more`);
  }
  await build(label);
  await keep(kept);
  await put(kept);
  const fault = await loadFault();
  if (fault !== null) throw new InstallError(`${label}: it was built, but does not load:\n${fault}`);
  say(`${label}: built and loaded`);
}

/** The version that our lock file wants. */
async function lockedVersion(): Promise<string> {
  const lock = JSON.parse(await readFile(path.join(CLIENT_FOLDER, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string }>;
  };
  const version = lock.packages[`node_modules/${PACKAGE}`]?.version;
  if (!version) throw new InstallError(`engines/kafka-client/package-lock.json does not name ${PACKAGE}`);
  return version;
}

async function installedVersion(): Promise<string | null> {
  try {
    return (JSON.parse(await readFile(path.join(PLACE, 'package.json'), 'utf8')) as { version: string }).version;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Loads the client in a process of its own, as a crash there is an answer too. Null when it loads. */
async function loadFault(): Promise<string | null> {
  try {
    await run(process.execPath, ['-e', `require(${JSON.stringify(PLACE)})`], { timeoutMs: 60_000 });
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

async function build(label: string): Promise<void> {
  if (process.platform === 'linux') {
    await needCommands({ 'g++': 'g++', make: 'make', python3: 'python3' });
    await needPackages(LIBRARIES);
  }
  const headers = await nodeHeaders();
  say(`${label}: building it for Node ${process.version}; this takes two to four minutes`);
  const reminder = setInterval(() => say(`${label}: still building`), 30_000);
  try {
    await rm(path.join(PLACE, 'build'), { recursive: true, force: true });
    await run('npm', ['rebuild', PACKAGE], {
      cwd: CLIENT_FOLDER,
      env: {
        // Against the system's libraries: the static build fetches their sources from where they are published.
        CKJS_LINKING: 'dynamic',
        npm_config_build_from_source: 'true',
        // Parallel make fails in librdkafka's build, and npm reports success all the same.
        JOBS: '1',
        MAKEFLAGS: '',
        ...(headers === null ? {} : { npm_config_nodedir: headers }),
      },
    });
  } finally {
    clearInterval(reminder);
  }
  const fault = await loadFault();
  if (fault !== null) throw new InstallError(`${label}: the build left nothing that loads:\n${fault}`);
}

/** The headers beside the Node that runs this. Null where there are none: then the build fetches them from where Node is published. */
async function nodeHeaders(): Promise<string | null> {
  const prefix = path.dirname(path.dirname(await realpath(process.execPath)));
  return existsSync(path.join(prefix, 'include/node/node_api.h')) ? prefix : null;
}

/** Keeps what was built, without its debug symbols. */
async function keep(kept: string): Promise<void> {
  await mkdir(cacheDirectory(), { recursive: true });
  const temporary = await mkdtemp(path.join(cacheDirectory(), '.kafka-client-'));
  for (const file of LOADED) await cp(path.join(PLACE, 'build', file), path.join(temporary, file), { dereference: true });
  await run(
    'strip',
    ['--strip-debug', ...LOADED].map((argument) => (argument.startsWith('--') ? argument : path.join(temporary, argument))),
  );
  await writeFile(completeMark(temporary), `${process.version}\n`);
  await rm(kept, { recursive: true, force: true });
  await rename(temporary, kept);
}

async function put(kept: string): Promise<void> {
  const target = path.join(PLACE, 'build');
  await rm(target, { recursive: true, force: true });
  for (const file of LOADED) await cp(path.join(kept, file), path.join(target, file));
}
