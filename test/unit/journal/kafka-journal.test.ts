import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { JournalFull } from '../../../src/journal/journal.ts';
import { KafkaJournal } from '../../../src/journal/kafka-journal.ts';
import type { Done, KafkaClient } from '../../../src/kafka/client-types.ts';
import { playOf } from '../../support/feed-file.ts';
import { playEntry } from '../../support/journal-entries.ts';
import { waitUntil } from '../../support/wait-until.ts';

let producers: FakeProducer[];
let holdNext: Promise<void> | null;
let metadata: boolean;

/** As the client's: it throws where it is not connected, and ends without a report of what no broker answered. */
class FakeProducer extends EventEmitter {
  connected = false;
  readonly opaques: unknown[] = [];
  /** Set, a connection waits for it. */
  readonly #held = holdNext;

  constructor() {
    super();
    producers.push(this);
  }

  connect(_options: unknown, done: Done<unknown>): this {
    const connected = async (): Promise<void> => {
      await (this.#held ?? turn());
      this.connected = true;
      done(null, undefined);
    };
    void connected();
    return this;
  }

  isConnected(): boolean {
    return this.connected;
  }

  produce(...args: unknown[]): void {
    this.#assertConnected();
    this.opaques.push(args[5]);
  }

  disconnect(done: Done<unknown> = () => {}): this {
    this.#assertConnected();
    setImmediate(() => {
      this.connected = false;
      done(null, undefined);
    });
    return this;
  }

  setPollInterval(): this {
    return this;
  }

  getMetadata(_options: unknown, done: Done<unknown>): void {
    if (metadata) done(null, { topics: [{ name: 'j', partitions: [] }] });
    else done(Object.assign(new Error('no metadata'), { code: -185 }), undefined);
  }

  report(opaque: unknown): void {
    this.emit('delivery-report', null, { opaque });
  }

  #assertConnected(): void {
    if (!this.connected) throw new Error('Producer not connected');
  }
}

beforeEach(() => {
  producers = [];
  holdNext = null;
  metadata = true;
});

function open(): Promise<KafkaJournal> {
  const client = { Producer: FakeProducer } as unknown as KafkaClient;
  return KafkaJournal.open({ client, config: {}, topic: 'j', journalId: 'j', maxWaitingRows: 2, onWarning: () => {} });
}

const fatal = Object.assign(new Error('out of order sequence'), { code: -150, isFatal: true });
const entry = (n: number) => playEntry(playOf(n));

test('I4: an append that a replaced producer never reports on is refused as unknown, and makes room', async () => {
  const journal = await open();
  const [broken] = producers;
  const append = journal.append([entry(1), entry(2)]);
  broken?.report(broken.opaques[0]);
  broken?.emit('event.error', fatal);
  await expect(append).rejects.toThrow(JournalFull);
  await waitUntil(() => producers[1]?.connected === true);
  // A late report of the one that was given up changes nothing.
  broken?.report(broken.opaques[1]);
  const next = journal.append([entry(3), entry(4)]);
  for (const opaque of producers[1]?.opaques ?? []) producers[1]?.report(opaque);
  await next;
  expect(journal.end).toBe(3);
  journal.close();
});

test('I4: an append that is not confirmed when the journal is closed is refused as unknown', async () => {
  const journal = await open();
  const append = journal.append([entry(1)]);
  journal.close();
  await expect(append).rejects.toThrow(JournalFull);
});

test('a journal that is closed while its producer is replaced closes without a fault, and leaves no connection', async () => {
  const journal = await open();
  const connecting = Promise.withResolvers<void>();
  holdNext = connecting.promise;
  producers[0]?.emit('event.error', fatal);
  journal.close();
  connecting.resolve();
  await waitUntil(() => producers.length === 2 && producers.every(({ connected }) => !connected));
});

test('a journal that cannot be opened leaves no connection', async () => {
  metadata = false;
  await expect(open()).rejects.toThrow('no metadata');
  await waitUntil(() => producers[0]?.connected === false);
});
