/** ClickHouse over HTTP, for tests: our facade in front of chDB, in a process of its own. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { freePort } from './ports.ts';
import { OneServer } from './one-server.ts';
import { EngineProcess } from './process.ts';

const READY_MS = 60_000;

export interface ClickHouseOptions {
  readonly directory: string;
  readonly outlives?: boolean;
  /** Without it: the user `default` with an empty password. */
  readonly credentials?: { readonly user: string; readonly password: string };
}

export class ClickHouseServer extends OneServer {
  /** For `@clickhouse/client`; without the credentials. */
  readonly url: string;

  constructor(port: number, process: EngineProcess, start: () => Promise<EngineProcess>) {
    super('ClickHouse server', process, start);
    this.url = `http://127.0.0.1:${port}`;
  }

  /** refuse: inserts fail as on a read-only server. lose: they are done, but their answer does not arrive. */
  async failInserts(mode: 'off' | 'refuse' | 'lose'): Promise<void> {
    const response = await fetch(`${this.url}/fault/insert?mode=${mode}`, { method: 'PUT' });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  }
}

/** @throws with the end of the server's log when it does not start. */
export async function launchClickHouse(options: ClickHouseOptions): Promise<ClickHouseServer> {
  await mkdir(options.directory, { recursive: true });
  const port = await freePort();
  const { user, password } = options.credentials ?? { user: 'default', password: '' };
  const start = async (): Promise<EngineProcess> => {
    const process_ = await EngineProcess.start({
      name: 'The ClickHouse server',
      command: process.execPath,
      args: [path.join(import.meta.dirname, 'clickhouse-http.ts'), options.directory, String(port), user, password],
      directory: options.directory,
      logFile: path.join(options.directory, 'clickhouse.log'),
      // Each running query holds one of these threads.
      env: { UV_THREADPOOL_SIZE: '16', NODE_OPTIONS: '' },
      outlives: options.outlives ?? false,
    });
    await process_.ready((log) => log.includes('over HTTP on port'), READY_MS);
    return process_;
  };
  return new ClickHouseServer(port, await start(), start);
}
