/** The embedded installation under faults: one service with its analytics process, on a disk of its own where one can be mounted. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { canTrace, KEEP_ALL, straceSyncs, works } from '../fault/stage.ts';
import { fillDisk, freeDisk, mountImage, unmount } from '../support/full-disk.ts';
import type { Ledger } from '../support/ledger.ts';
import { copyDifferences, waitComplete } from '../support/oracle.ts';
import { ADMIN_TOKEN, isAlive, makeDataDir, removeDataDir, Service } from '../support/service.ts';
import type { Dice } from './schedule.ts';
import { type AuditTold, auditBy, type Fault, metric, type Stage } from './stage.ts';

export interface EmbeddedOptions {
  /** Of the disk that can be filled. */
  readonly diskBytes: number;
  /** Told what is amiss. */
  readonly fail: (sentence: string) => void;
  /** Sends many large batches at once until the instant (performance.now). */
  readonly press: (dice: Dice, until: number) => Promise<void>;
}

const START_MS = 120_000;
const COMPLETE_MS = 300_000;
/** A busy machine may take longer than the default to end in order. */
const ENVIRONMENT = { ...KEEP_ALL, PLAYPROOF_SHUTDOWN_SECONDS: '60' };
const SMALL_HEAP = '--max-old-space-size=40 --max-semi-space-size=1';
const HOUR_MS = 3_600_000;
const SYNC_ERROR_MS = 60_000;
const LAGS = ['playproof_journal_lag_records', 'playproof_analytics_lag_records'];

type StartOptions = Pick<Parameters<typeof Service.spawn>[0], 'env' | 'under'>;

export class EmbeddedStage implements Stage {
  readonly faults: readonly Fault[];
  readonly leftOut: string[] = [];
  readonly #options: EmbeddedOptions;
  readonly #directory = makeDataDir();
  readonly #mounted: boolean;
  #service!: Service;
  #url: string | null = null;
  /** Somebody ends it now on purpose. */
  #harmed = false;

  private constructor(options: EmbeddedOptions) {
    this.#options = options;
    this.#mounted = this.#mount();
    this.faults = this.#faults();
  }

  static async start(options: EmbeddedOptions): Promise<EmbeddedStage> {
    const stage = new EmbeddedStage(options);
    try {
      await stage.#start();
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  readonly url = (): string | null => this.#url;
  readonly query = (): Service => this.#service;
  readonly output = (): string => this.#service.output.slice(-3_000);

  readonly whole = async (): Promise<void> => {
    if (this.#service.ended) throw new Error(`the service ended by itself: ${JSON.stringify(this.#service.ended)}\n${this.output()}`);
    await this.#service.ready(START_MS);
  };

  readonly complete = (): Promise<void> => waitComplete(this.#service, Date.now(), COMPLETE_MS);
  readonly backlog = (): Promise<number | null> => metric([this.#service], LAGS);
  readonly residentBytes = (): number => this.#service.residentBytesWithChildren();
  readonly differences = (ledger: Ledger): Promise<string[]> => copyDifferences(this.#service, ledger);
  readonly audit = (): Promise<AuditTold> => auditBy(this.#service, ENVIRONMENT, ['--url', this.#service.url, '--token', ADMIN_TOKEN]);

  readonly close = async (): Promise<void> => {
    this.#harmed = true;
    this.#url = null;
    await this.#service?.kill();
    if (this.#mounted) unmount(this.#data);
    removeDataDir(this.#directory);
  };

  get #data(): string {
    return path.join(this.#directory, 'data');
  }

  #mount(): boolean {
    mkdirSync(this.#data);
    try {
      mountImage(path.join(this.#directory, 'disk.img'), this.#data, this.#options.diskBytes);
      return true;
    } catch (error) {
      this.leftOut.push(`full-disk: no disk of its own can be mounted here (${(error as Error).message.trim()})`);
      return false;
    }
  }

  async #start(options: StartOptions = {}): Promise<void> {
    const born = this.#spawn(options);
    await born.ready(START_MS);
    this.#url = born.url;
  }

  #spawn({ env, ...options }: StartOptions = {}): Service {
    const born = Service.spawn({ ...options, dataDir: this.#directory, env: { ...ENVIRONMENT, ...env }, group: true });
    this.#service = born;
    this.#harmed = false;
    void born.exited.then((exit) => {
      if (this.#service !== born) return;
      this.#url = null;
      if (!this.#harmed) this.#options.fail(`the service ended by itself: ${JSON.stringify(exit)}\n${born.output.slice(-2_000)}`);
    });
    return born;
  }

  async #kill(): Promise<void> {
    this.#harmed = true;
    await this.#service.kill();
  }

  /** SIGTERM; it must end in order. */
  async #stop(): Promise<void> {
    this.#harmed = true;
    const exit = await this.#service.stop();
    if (exit.code !== 0) this.#options.fail(`SIGTERM ended it with ${JSON.stringify(exit)}:\n${this.output()}`);
  }

  #faults(): Fault[] {
    const faults: Fault[] = [
      { name: 'kill-service', run: (dice) => this.#killService(dice) },
      { name: 'stop-service', run: (dice) => this.#pause(this.#service.pid, dice.between(500, 7_000)) },
      { name: 'term-service', run: () => this.#stop().then(() => this.#start()) },
      { name: 'kill-analytics', run: () => this.#withAnalytics((pid) => void process.kill(pid, 'SIGKILL')) },
      { name: 'stop-analytics', run: (dice) => this.#withAnalytics((pid) => this.#pause(pid, dice.between(2_000, 15_000))) },
      { name: 'second-instance', run: () => this.#secondInstance() },
      { name: 'small-heap', run: (dice) => this.#smallHeap(dice) },
    ];
    if (this.#mounted) faults.push({ name: 'full-disk', run: (dice) => this.#fullDisk(dice) });
    if (canTrace()) faults.push({ name: 'sync-error', run: (dice) => this.#syncError(dice) });
    else this.leftOut.push('sync-error: strace cannot be used here');
    if (works('gcc', ['--version'])) faults.push({ name: 'clock-jump', run: (dice) => this.#clockJump(dice) });
    else this.leftOut.push('clock-jump: gcc cannot be used here');
    return faults;
  }

  async #killService(dice: Dice): Promise<void> {
    await this.#kill();
    while (dice.chance(0.25)) {
      const born = this.#spawn();
      await sleep(dice.between(0, 1_500));
      if (born.ended) throw new Error(`the service did not start again:\n${born.output}`);
      await this.#kill();
    }
    await this.#start();
  }

  async #withAnalytics(harm: (pid: number) => void | Promise<void>): Promise<void> {
    const [pid] = this.#service.children();
    // It may just be starting again after the fault before.
    if (pid !== undefined) await harm(pid);
  }

  async #pause(pid: number, ms: number): Promise<void> {
    process.kill(pid, 'SIGSTOP');
    await sleep(ms);
    if (isAlive(pid)) process.kill(pid, 'SIGCONT');
  }

  async #secondInstance(): Promise<void> {
    const second = Service.spawn({ dataDir: this.#directory, env: ENVIRONMENT, group: true });
    const { code } = await second.exited;
    if (code !== 1 || !second.output.includes('another Playproof')) {
      this.#options.fail(`a second service on the directory ended with ${code}: ${second.output}`);
    }
  }

  /** It sheds or ends; either is in order. */
  async #smallHeap(dice: Dice): Promise<void> {
    await this.#stop();
    const small = this.#spawn({ env: { NODE_OPTIONS: SMALL_HEAP } });
    this.#harmed = true;
    try {
      await small.ready(START_MS);
      this.#url = small.url;
      await this.#options.press(dice, performance.now() + dice.between(2_000, 6_000));
    } catch (error) {
      if (!small.ended) throw error;
    }
    await this.#kill();
    await this.#start();
  }

  async #fullDisk(dice: Dice): Promise<void> {
    try {
      fillDisk(this.#data);
      await sleep(dice.between(1_000, 6_000));
    } finally {
      freeDisk(this.#data);
    }
  }

  /** A sync of the write-ahead log fails: the service stops acknowledging and ends with 1. */
  async #syncError(dice: Dice): Promise<void> {
    await this.#stop();
    const fault = `error=EIO:when=${10 + dice.below(60)}`;
    const traced = this.#spawn({ under: straceSyncs(fault, [path.join(this.#data, 'playproof.db-wal')]) });
    this.#harmed = true;
    try {
      await traced.ready(START_MS);
      this.#url = traced.url;
    } catch (error) {
      if (!traced.ended) throw error;
    }
    const exit = await Promise.race([traced.exited, sleep(SYNC_ERROR_MS, null, { ref: false })]);
    if (exit && exit.code !== 1) this.#options.fail(`after a failed sync it ended with ${JSON.stringify(exit)}:\n${this.output()}`);
    await this.#kill();
    await this.#start();
  }

  /** The clock of the service goes two hours forward or back, and right again, under its feet. */
  async #clockJump(dice: Dice): Promise<void> {
    const library = path.join(this.#directory, 'clock.so');
    const clock = path.join(this.#directory, 'clock');
    const source = fileURLToPath(new URL('../fault/clock.c', import.meta.url));
    execFileSync('gcc', ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl']);
    const moveTo = (ms: number): void => {
      writeFileSync(`${clock}.new`, String(ms));
      renameSync(`${clock}.new`, clock);
    };
    moveTo(0);
    await this.#stop();
    await this.#start({ env: { LD_PRELOAD: library, FAULT_CLOCK: clock } });
    await sleep(dice.between(200, 1_500));
    moveTo(dice.chance(0.5) ? 2 * HOUR_MS : -2 * HOUR_MS);
    await sleep(dice.between(1_000, 4_000));
    moveTo(0);
    await sleep(dice.between(200, 1_500));
    await (dice.chance(0.5) ? this.#stop() : this.#kill());
    await this.#start();
  }
}
