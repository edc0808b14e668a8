/** `playproof start`: runs the service until it is told to stop. */
import type { Command } from 'commander';
import { type Config, loadConfig, readEnvironment } from '../config.ts';
import { CommandFailed, EXIT_FAILED } from './errors.ts';
import { onStopSignal } from './signals.ts';

/** What `run` of src/main.ts promises. */
export interface RunningService {
  /** Such as `http://127.0.0.1:8080`. */
  readonly address: string;
  /** The administrator's token where one was made just now; it is printed once and never again. */
  readonly adminToken?: string | null;
  /** Stops gracefully; resolves when everything is closed. May be called once. */
  close(): Promise<void>;
  /** Resolves with the exit code when the service has ended, by `close` or by a fault that it cannot go on with. */
  readonly closed: Promise<number>;
}

export function addStart(program: Command): void {
  program
    .command('start')
    .description('run the service; settings come from the environment and a .env file (see `playproof config`)')
    .action(async () => {
      const config = loadConfig(readEnvironment());
      process.exitCode = await serve(config, await loadRun());
    });
}

type Run = (config: Config) => Promise<RunningService>;

/** The composition root, loaded only when the service is to run. */
export async function loadRun(): Promise<Run> {
  const main = (await import(new URL('../main.ts', import.meta.url).href)) as { run: Run };
  return main.run;
}

async function serve(config: Config, run: Run): Promise<number> {
  const service = await run(config);
  const stopping = Promise.withResolvers<never>();
  const forget = onStopSignal(
    () => {
      console.error('stopping: what was accepted is being finished');
      const bound = setTimeout(() => end(`did not stop within ${config.shutdownMs / 1000} s`), config.shutdownMs);
      bound.unref();
      service.close().catch((error: unknown) => stopping.reject(error));
    },
    () => end('stopped at once by a second signal'),
  );
  tell(service);
  try {
    return await Promise.race([service.closed, stopping.promise]);
  } catch (error) {
    throw new CommandFailed(`the service did not stop cleanly: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    forget();
  }
}

/** Whatever was acknowledged is durable, so ending here loses nothing; the next start settles the rest. */
function end(why: string): never {
  console.error(`playproof: ${why}; whatever was acknowledged is kept`);
  process.exit(EXIT_FAILED);
}

function tell({ address, adminToken }: RunningService): void {
  console.log(`playproof listens at ${address}`);
  console.log(`documentation: ${address}/docs`);
  if (adminToken) {
    console.log(`admin token (printed this once, keep it): ${adminToken}`);
  }
}
