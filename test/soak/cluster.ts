/** The distributed installation under faults: five processes of ours on a real broker, a MongoDB-compatible server and ClickHouse. */
import { setTimeout as sleep } from 'node:timers/promises';
import { KEEP_ALL } from '../fault/stage.ts';
import { Field, killAndRestart, NODES, pause } from '../engines/support/field.ts';
import { Installation } from '../engines/support/installation.ts';
import { differences, waitComplete } from '../engines/support/oracle.ts';
import type { Ledger } from '../support/ledger.ts';
import type { Service } from '../support/service.ts';
import type { Dice } from './schedule.ts';
import { type AuditTold, auditBy, type Fault, metric, type Stage } from './stage.ts';

const START_MS = 120_000;
const COMPLETE_MS = 300_000;
const ENVIRONMENT = { ...KEEP_ALL, PLAYPROOF_SHUTDOWN_SECONDS: '60' };
const ACCEPT = ['accept-1', 'accept-2'];
const SETTLE = ['settle-1', 'settle-2'];
const WITH_CHILD = [...SETTLE, 'analytics-1'];
/** Longer than the session of the settlers' group: the other one takes the partitions over. */
const TAKEOVER_MS = [14_000, 22_000] as const;
const LAGS = ['playproof_journal_lag_records', 'playproof_analytics_lag_records'];

export class ClusterStage implements Stage {
  readonly faults: readonly Fault[];
  readonly leftOut: readonly string[] = [];
  readonly #installation: Installation;
  readonly #field: Field;
  readonly #fail: (sentence: string) => void;
  #turn = 0;

  private constructor(installation: Installation, fail: (sentence: string) => void) {
    this.#installation = installation;
    this.#fail = fail;
    this.#field = new Field(installation, {
      env: ENVIRONMENT,
      group: true,
      startWithinMs: START_MS,
      onEnd: (name, exit, { output }) => fail(`${name} ended by itself: ${JSON.stringify(exit)}\n${output.slice(-2_000)}`),
    });
    this.faults = this.#faults();
  }

  /** @param fail Told what is amiss. */
  static async start({ fail }: { readonly fail: (sentence: string) => void }): Promise<ClusterStage> {
    const stage = new ClusterStage(await Installation.start(), fail);
    try {
      await stage.#field.startAll();
      return stage;
    } catch (error) {
      fail(stage.output());
      await stage.close();
      throw error;
    }
  }

  /** One node after the other, as behind a balancer; it may be one that stands still. */
  readonly url = (): string | null => {
    this.#turn += 1;
    const listening = ACCEPT.map((name) => this.#field.node(name)).filter(({ ended }) => ended === null);
    return listening[this.#turn % Math.max(1, listening.length)]?.url ?? null;
  };

  readonly query = (): Service => {
    const nodes = ACCEPT.map((name) => this.#field.node(name));
    return nodes.find(({ ended }) => ended === null) ?? (nodes[0] as Service);
  };

  readonly output = (): string => this.#installation.output();

  readonly whole = async (): Promise<void> => {
    for (const node of this.#field.nodes()) await node.ready(START_MS);
  };

  readonly complete = ({ lastAcknowledged }: Ledger): Promise<void> => waitComplete(this.query(), lastAcknowledged, COMPLETE_MS);
  readonly backlog = (): Promise<number | null> => metric(this.#field.nodes(), LAGS);
  readonly residentBytes = (): number =>
    this.#field.nodes().reduce((sum, node) => sum + (node.ended ? 0 : node.residentBytesWithChildren()), 0);
  readonly differences = (ledger: Ledger): Promise<string[]> => differences(this.#installation, this.query(), ledger);
  readonly audit = (): Promise<AuditTold> => auditBy(this.query(), this.#installation.environment('audit', 'query'), []);

  readonly close = async (): Promise<void> => {
    this.#field.endAll();
    await this.#installation.dispose();
  };

  #faults(): Fault[] {
    const { kafka, mongo, clickHouse } = this.#installation;
    const field = this.#field;
    return [
      { name: 'kill-accept', run: (dice) => field.kill(dice.oneOf(ACCEPT), dice.between(0, 3_000)) },
      { name: 'kill-settle', run: (dice) => field.kill(dice.oneOf(SETTLE), dice.between(0, 3_000)) },
      { name: 'kill-analytics', run: (dice) => field.kill('analytics-1', dice.between(0, 3_000)) },
      { name: 'kill-child', run: async (dice) => void (await field.killChild(dice.oneOf(WITH_CHILD))) },
      { name: 'stop-accept', run: (dice) => field.pause(dice.oneOf(ACCEPT), dice.between(500, 8_000)) },
      { name: 'stop-settle', run: (dice) => field.pause(dice.oneOf(SETTLE), dice.between(500, 8_000)) },
      { name: 'stop-analytics', run: async (dice) => void (await field.pauseChild('analytics-1', dice.between(1_000, 12_000))) },
      { name: 'take-over', run: async (dice) => void (await field.pauseChild(dice.oneOf(SETTLE), dice.between(...TAKEOVER_MS))) },
      { name: 'term-node', run: (dice) => this.#end(dice.oneOf(Object.keys(NODES))) },
      { name: 'rolling-restart', run: () => this.#rollingRestart() },
      { name: 'kill-broker', run: (dice) => killAndRestart(kafka, dice.between(0, 4_000)) },
      { name: 'stop-broker', run: (dice) => pause(kafka, dice.between(500, 7_000)) },
      { name: 'kill-archive', run: (dice) => killAndRestart(mongo, dice.between(0, 10_000)) },
      { name: 'stop-archive', run: (dice) => pause(mongo, dice.between(500, 10_000)) },
      { name: 'kill-clickhouse', run: (dice) => killAndRestart(clickHouse, dice.between(0, 8_000)) },
      { name: 'stop-clickhouse', run: (dice) => pause(clickHouse, dice.between(500, 10_000)) },
      { name: 'refuse-inserts', run: (dice) => this.#failInserts('refuse', dice) },
      { name: 'lose-insert-answers', run: (dice) => this.#failInserts('lose', dice) },
    ];
  }

  /** SIGTERM; it must end in order. */
  async #end(name: string): Promise<void> {
    const before = this.#field.node(name);
    const exit = await this.#field.end(name);
    if (exit.code !== 0) this.#fail(`SIGTERM ended ${name} with ${JSON.stringify(exit)}:\n${before.output.slice(-2_000)}`);
  }

  async #rollingRestart(): Promise<void> {
    for (const name of Object.keys(NODES)) {
      await this.#end(name);
      await this.#field.node(name).ready(START_MS);
    }
  }

  async #failInserts(mode: 'refuse' | 'lose', dice: Dice): Promise<void> {
    const { clickHouse } = this.#installation;
    await clickHouse.failInserts(mode);
    try {
      await sleep(dice.between(500, 8_000));
    } finally {
      await clickHouse.failInserts('off');
    }
  }
}
