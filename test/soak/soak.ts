/** A long run: steady load, one fault after the other, a pause every few minutes in which everything must come to rest; then the oracle. */
import { setTimeout as sleep } from 'node:timers/promises';
import { call } from '../support/http.ts';
import type { Planned } from './schedule.ts';
import type { AuditTold, Fault, Stage } from './stage.ts';
import type { SteadyLoad } from './steady-load.ts';

export interface SoakOptions {
  readonly stage: Stage;
  readonly faults: readonly Fault[];
  readonly load: SteadyLoad;
  readonly plan: Iterable<Planned>;
  readonly milliseconds: number;
  /** Load and faults stop for a look this often. */
  readonly restEveryMs: number;
  readonly tell: (line: string) => void;
  readonly show: (state: SoakState) => void;
  readonly stop: AbortSignal;
}

export interface SoakState {
  readonly minutes: number;
  /** Logs a second since it was last shown. */
  readonly rate: number;
  readonly acknowledged: number;
  readonly unanswered: number;
  readonly faults: number;
  readonly now: string;
  readonly backlog: number | null;
  readonly residentBytes: number;
}

export interface SoakResult {
  readonly seconds: number;
  readonly sent: number;
  readonly summary: Readonly<Record<string, number>>;
  /** How often each fault was done. */
  readonly faults: Readonly<Record<string, number>>;
  /** How often it came to rest with everything settled, loaded and counted. */
  readonly rests: number;
  readonly waitedMs: number;
  readonly differences: readonly string[];
  readonly audit: AuditTold;
  /** Resident bytes of the installation's own processes, and of this one. */
  readonly peakBytes: number;
  readonly harnessPeakBytes: number;
}

const SHOW_MS = 1_000;

export class Soak {
  readonly #options: SoakOptions;
  readonly #began = performance.now();
  readonly #faults: Record<string, number> = {};
  #done = 0;
  #now = 'starting';
  #rests = 0;
  #peakBytes = 0;

  constructor(options: SoakOptions) {
    this.#options = options;
  }

  async run(): Promise<SoakResult> {
    const { load, stage, tell } = this.#options;
    const watching = new AbortController();
    const watch = this.#watch(watching.signal);
    try {
      load.start();
      await this.#harm();
    } catch (error) {
      load.fail(`${this.#now}: ${(error as Error).message}`);
    }
    try {
      this.#now = 'coming to rest';
      await this.#rest();
      this.#now = 'comparing';
      tell('comparing what was told with feed, archive, analytics and quarantine');
      const found = await stage.differences(load.sender.ledger);
      this.#now = 'audit';
      tell('playproof audit');
      return this.#result(found, await stage.audit());
    } catch (error) {
      load.fail(`${this.#now}: ${(error as Error).message}`);
      return this.#result([], { clean: null, told: 'not made' });
    } finally {
      await load.pause();
      watching.abort();
      await watch;
    }
  }

  #result(found: readonly string[], audit: AuditTold): SoakResult {
    const { load } = this.#options;
    return {
      seconds: Math.round((performance.now() - this.#began) / 1_000),
      sent: load.sent,
      summary: load.sender.ledger.summary(),
      faults: this.#faults,
      rests: this.#rests,
      waitedMs: load.waitedMs,
      differences: [...load.failures, ...found],
      audit,
      peakBytes: this.#peakBytes,
      harnessPeakBytes: process.resourceUsage().maxRSS * 1024,
    };
  }

  /** One fault after the other until the time is over, or something is amiss. */
  async #harm(): Promise<void> {
    const { faults, load, plan, milliseconds, restEveryMs, tell, stop } = this.#options;
    let restAt = restEveryMs;
    for (const { number, name, gapMs, dice } of plan) {
      this.#now = '-';
      const left = milliseconds - this.#passed();
      await sleep(Math.min(gapMs, Math.max(0, left)), undefined, { signal: stop }).catch(() => {});
      if (stop.aborted || load.failures.length > 0 || this.#passed() >= milliseconds) return;
      if (this.#passed() >= restAt) {
        this.#now = 'rest';
        await this.#rest();
        load.start();
        restAt = this.#passed() + restEveryMs;
      }
      this.#now = name;
      const began = performance.now();
      const fault = faults.find((one) => one.name === name);
      if (!fault) throw new Error(`there is no fault ${name}`);
      await fault.run(dice);
      this.#faults[name] = (this.#faults[name] ?? 0) + 1;
      this.#done = number;
      tell(`#${number} ${name}, ${seconds(performance.now() - began)}`);
    }
  }

  /** Nothing is sent any more, everything is answered, settled and loaded, and the report counts what was told. */
  async #rest(): Promise<void> {
    const { stage, load, tell } = this.#options;
    const began = performance.now();
    await load.pause();
    await stage.whole();
    await load.drain();
    await stage.complete(load.sender.ledger);
    const { status, json, text } = await call(stage.query(), '/api/v1/reports/plays');
    if (status !== 200) throw new Error(`the report was answered ${status}: ${text}`);
    const plays = (json.rows as { readonly plays: number }[])[0]?.plays ?? 0;
    const ids = load.sender.ledger.ids();
    if (plays < ids.acknowledged || plays > ids.sent) {
      load.fail(`the report counts ${plays} plays; ${ids.acknowledged} of ${ids.sent} log ids were acknowledged`);
    }
    this.#rests += 1;
    tell(`at rest after ${seconds(performance.now() - began)}: ${ids.acknowledged} log ids acknowledged, ${plays} plays reported`);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { stage, load, show } = this.#options;
    let before = load.sent;
    let at = performance.now();
    while (!signal.aborted) {
      await sleep(SHOW_MS, undefined, { signal }).catch(() => {});
      const residentBytes = stage.residentBytes();
      this.#peakBytes = Math.max(this.#peakBytes, residentBytes);
      const backlog = await stage.backlog();
      const now = performance.now();
      show({
        minutes: this.#passed() / 60_000,
        rate: ((load.sent - before) * 1_000) / (now - at),
        acknowledged: load.sender.ledger.acknowledged,
        unanswered: load.sender.unknown,
        faults: this.#done,
        now: this.#now,
        backlog,
        residentBytes,
      });
      before = load.sent;
      at = now;
    }
  }

  #passed(): number {
    return performance.now() - this.#began;
  }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
