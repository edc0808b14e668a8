/** What the fault tests share: a data directory with its services, a seed that is printed, faults of system calls. */
import { execFileSync } from 'node:child_process';
import { makeDataDir, removeDataDir, Service, type ServiceOptions } from '../support/service.ts';

/** All refusals are kept, so that the oracle can ask for each. */
export const KEEP_ALL = { PLAYPROOF_QUARANTINE_PER_DEVICE: '100000' };

export class Stage {
  readonly dataDir = makeDataDir();
  readonly #born: Service[] = [];

  /** Starts it and waits until it is ready. */
  start(options: Omit<ServiceOptions, 'dataDir'> = {}): Promise<Service> {
    return Service.start(this.#options(options));
  }

  /** Starts it without waiting: it may never become ready. */
  spawn(options: Omit<ServiceOptions, 'dataDir'> = {}): Service {
    return Service.spawn(this.#options(options));
  }

  async close(): Promise<void> {
    await Promise.all(this.#born.map((service) => service.kill()));
    removeDataDir(this.dataDir);
  }

  #options(options: Omit<ServiceOptions, 'dataDir'>): ServiceOptions {
    return { ...options, dataDir: this.dataDir, env: { ...KEEP_ALL, ...options.env }, onSpawn: (service) => this.#born.push(service) };
  }
}

/** `FAULT_SCALE=smoke`: each fault in some of its kinds and places, in a few minutes. Without it: in all of them. */
export const smoke = process.env['FAULT_SCALE'] === 'smoke';

/** All of them; in the short run those that `inSmoke` picks, which is said. */
export function scaled<T>(all: readonly T[], inSmoke: (one: T, i: number) => boolean): readonly T[] {
  if (!smoke) return all;
  const some = all.filter(inSmoke);
  console.log(`FAULT_SCALE=smoke: ${some.length} of ${all.length} cases`);
  return some;
}

/** The seed of this run: FAULT_SEED, or one of the moment; printed, so that a failure can be run again. */
export function announceSeed(): number {
  const seed = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}; FAULT_SEED=${seed} sends the same again`);
  return seed;
}

/**
 * The start of a command that makes each sync of some files go wrong from a given one on; strace counts for each thread alone.
 *
 * @param fault As strace's `inject` takes it, such as `signal=SIGKILL:when=3`.
 * @param files Full paths; they need not exist yet.
 */
export function straceSyncs(fault: string, files: readonly string[]): string[] {
  const calls = 'fsync,fdatasync';
  const paths = files.flatMap((file) => ['-P', file]);
  // Not with --seccomp-bpf: strace 6.1 then delivers no signal.
  return ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${calls}:${fault}`, ...paths];
}

/** Whether strace is here and may trace; says why not. */
export function canTrace(): boolean {
  return works('strace', ['-f', '-o', '/dev/null', '-e', 'trace=fsync', 'true']);
}

export function works(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'pipe' });
    return true;
  } catch (error) {
    console.log(`skipped: ${program} cannot be used here (${error instanceof Error ? error.message.trim() : String(error)})`);
    return false;
  }
}
