/**
 * A server that speaks MongoDB's protocol: SecantusDB (real WiredTiger under an emulated command layer). A separate process for
 * tests, never shipped. Its `--sync-on-commit` stays off on purpose: then a write without `j: true` can be lost by kill -9, as with
 * a real mongod, and a forgotten `j: true` shows.
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { secantusServer } from './places.ts';
import { freePort } from './ports.ts';
import { OneServer } from './one-server.ts';
import { EngineProcess } from './process.ts';

const READY_MS = 60_000;

export interface MongoOptions {
  readonly directory: string;
  readonly outlives?: boolean;
}

export class MongoServer extends OneServer {
  /** For the driver. */
  readonly url: string;
  readonly port: number;

  constructor(port: number, process: EngineProcess, start: () => Promise<EngineProcess>) {
    super('MongoDB server', process, start);
    this.port = port;
    this.url = `mongodb://127.0.0.1:${port}/?directConnection=true`;
  }
}

/** @throws with the end of the server's log when it does not start. */
export async function launchMongo(options: MongoOptions): Promise<MongoServer> {
  const server = secantusServer();
  if (!existsSync(server)) throw new Error(`${server} is missing; run \`npm run engines:install\` first`);
  const port = await freePort();
  const data = path.join(options.directory, 'data');
  const config = path.join(options.directory, 'secantusd.toml');
  await mkdir(data, { recursive: true });
  // Without a file of its own it reads one from the home directory.
  await writeFile(config, '');
  const place = ['--config', config, '--host', '127.0.0.1', '--port', String(port), '--storage-path', data];
  const start = async (): Promise<EngineProcess> => {
    const process = await EngineProcess.start({
      name: 'The MongoDB server',
      command: server,
      args: [...place, '--cache-size', '256M', '--log-level', 'WARNING', '--standalone'],
      directory: options.directory,
      logFile: path.join(options.directory, 'mongo.log'),
      outlives: options.outlives ?? false,
    });
    await process.ready(() => answers(port), READY_MS);
    return process;
  };
  return new MongoServer(port, await start(), start);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
