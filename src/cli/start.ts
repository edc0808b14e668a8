/** `playproof start`: runs the service until it is told to stop. */
import type { Command } from 'commander';
import { type Config, loadConfig, readEnvironment } from '../config.ts';
import type { RunningService } from '../main.ts';
import { EXIT_FAILED } from './errors.ts';
import { onStopSignal } from './signals.ts';

export function addStart(program: Command): void {
  program
    .command('start')
    .description('run the service; settings come from the environment and a .env file (see `playproof config`)')
    .action(async () => {
      const config = loadConfig(readEnvironment());
      // Everything is closed, or cannot be: a timer or thread that is left over must not keep the process. Nothing is lost with
      // it, whatever was acknowledged is durable.
      process.exit(await serve(config));
    });
}

/** Resolves with the exit code when the service has ended. */
async function serve(config: Config): Promise<number> {
  let service: RunningService;
  try {
    const { run } = await import('../main.ts');
    service = await run(config);
  } catch (error) {
    return failed('cannot start', error, config);
  }
  const stopped = Promise.withResolvers<number>();
  onStopSignal(
    () => {
      console.error('playproof: stopping; what was accepted is being finished');
      setTimeout(() => endNow(`it did not stop within ${config.shutdownMs / 1000} s`), config.shutdownMs).unref();
      service.close().catch((error: unknown) => stopped.resolve(failed('did not stop cleanly', error, config)));
    },
    () => endNow('stopped at once by a second signal'),
  );
  tell(service);
  return Promise.race([service.closed, stopped.promise]);
}

function failed(what: string, error: unknown, { logLevel }: Config): number {
  const { message, stack, code }: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error));
  const hint = code === 'EADDRINUSE' ? '; stop who listens there, or set PLAYPROOF_HTTP_PORT' : '';
  console.error(`playproof: ${what}: ${message}${hint}`);
  if (logLevel === 'debug') console.error(stack);
  return EXIT_FAILED;
}

function endNow(why: string): never {
  console.error(`playproof: ${why}; whatever was acknowledged is kept`);
  process.exit(EXIT_FAILED);
}

function tell({ address, newAdminToken, laterAdminToken }: RunningService): void {
  console.log(`playproof listens at ${address}`);
  console.log(`console: ${address}/console/`);
  console.log(`documentation: ${address}/docs`);
  tellToken(newAdminToken);
  void laterAdminToken.then(tellToken);
}

function tellToken(token: string | null): void {
  if (token !== null) console.log(`admin token (printed this once, keep it): ${token}`);
}
