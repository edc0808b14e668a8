/** Starts settlers as processes, and knows what they said. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { settled } from '../../../src/kafka/client.ts';
import type { TopicPartitionOffset } from '../../../src/kafka/client-types.ts';
import type { SettlerOptions, SettlerSays } from './settler-child.ts';
import type { Place } from './support.ts';

const CHILD = path.join(import.meta.dirname, 'settler-child.ts');

export class Settler {
  readonly #child: ChildProcess;
  readonly said: SettlerSays[] = [];

  constructor({ settings, topics, groupId }: Place, over: Pick<SettlerOptions, 'instance'> & Partial<SettlerOptions>) {
    this.#child = fork(CHILD, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child.on('message', (message: SettlerSays) => this.said.push(message));
    const options: SettlerOptions = { settings, topics, groupId, sessionTimeoutMs: 3_000, pauseMs: 0, ...over };
    this.#child.send(options);
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name);
  }

  /** Resolves with the exit code, null where a signal ended it. */
  async ended(): Promise<number | null> {
    if (this.alive) await once(this.#child, 'exit');
    return this.exitCode;
  }

  async kill(): Promise<void> {
    if (!this.alive) return;
    this.signal('SIGKILL');
    await this.ended();
  }

  async until(what: (said: readonly SettlerSays[]) => boolean): Promise<void> {
    while (!what(this.said)) {
      if (!this.alive) throw new Error(`the settler ended with ${this.exitCode}: ${JSON.stringify(this.said.slice(-3))}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** How many records of the journal lie before the group's committed positions. Rejects while the broker is away. */
export async function settledRecords({ client, config, groupId, topics, settings }: Place): Promise<number> {
  const consumer = new client.KafkaConsumer({ ...config, 'group.id': groupId, 'enable.auto.commit': false }, {});
  await settled((done) => consumer.connect({ timeout: 5_000 }, done));
  try {
    const asked = Array.from({ length: settings.partitions }, (_, partition) => ({ topic: topics.journal, partition }));
    const found = await settled<TopicPartitionOffset[]>((done) => consumer.committed(asked, 5_000, done));
    return found.reduce((sum, { offset }) => sum + (offset > 0 ? offset : 0), 0);
  } finally {
    await settled((done) => consumer.disconnect(done));
  }
}

export async function untilSettled(place: Place, records: number, eachTime: () => Promise<void> | void = () => {}): Promise<void> {
  for (;;) {
    // A broker that is away is asked again.
    const done = await settledRecords(place).catch(() => 0);
    if (done >= records) return;
    await eachTime();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
