import { setTimeout as sleep } from 'node:timers/promises';
import { failpoint } from '../failpoints.ts';
import { settled } from '../kafka/client.ts';
import type {
  ClusterMetadata,
  DeliveryReport,
  KafkaClient,
  KafkaError,
  KafkaProducer,
  RdKafkaConfig,
  Watermarks,
} from '../kafka/client-types.ts';
import { type Journal, type JournalEntry, JournalFull } from './journal.ts';
import { recordDeviceId } from './record.ts';

export interface KafkaJournalOptions {
  readonly client: KafkaClient;
  readonly config: RdKafkaConfig;
  readonly topic: string;
  /** Names this very topic. */
  readonly journalId: string;
  /** How long an append waits for the brokers before it is given up. */
  readonly deliveryTimeoutMs?: number;
  /** Records under way at once; more are refused. */
  readonly maxWaitingRows?: number;
  /** Milliseconds between two looks for delivery reports. */
  readonly pollMs?: number;
  readonly onWarning: (message: string) => void;
  /** Whether the brokers take writes is watched where this is given. */
  readonly watch?: JournalWatch;
}

export interface JournalWatch {
  /** A compacted topic with the same demands as the journal. */
  readonly probeTopic: string;
  /** `min.insync.replicas` of the journal. */
  readonly minInsync: number;
  /** Told why writes are not confirmed any more, and null once they are again. */
  readonly onChange: (refused: string | null) => void;
}

const DELIVERY_TIMEOUT_MS = 10_000;
const MAX_WAITING_ROWS = 200_000;
const MAX_WAITING_KIBIBYTES = 512 * 1024;
const CONNECT_TIMEOUT_MS = 10_000;
const RECONNECT_MS = 1_000;
/** An append is one loop of calls, so this is enough for its records, and those of its neighbours, to travel together. */
const LINGER_MS = 1;
/**
 * Between two looks for delivery reports; an append waits for half of it. The client's own thread that would hand them on as they
 * come costs less, and brought the process down when its producer was disconnected.
 */
const POLL_MS = 1;
/** Where nothing was confirmed for so long, a probe is written. */
const PROBE_EVERY_MS = 2_000;
const PROBE_KEY = 'probe';
const FATAL = -150;

/** Entries appended together: answered when each has its delivery report, refused with the first that failed. */
interface Appending {
  /** Records that were given to the client and have no report yet. */
  waiting: number;
  /** No record of the journal. */
  readonly probe: boolean;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

/**
 * The journal on Kafka: a record is durable when all in-sync replicas have it.
 *
 * An append that is refused may have been kept in part or in whole: nobody knows, as after a broken connection. The device
 * sends again, and settling makes it count once. Its order is that of each device's partition.
 */
export class KafkaJournal implements Journal {
  readonly journalId: string;
  readonly #options: KafkaJournalOptions;
  #producer: KafkaProducer;
  #waitingRows = 0;
  /** What each producer still owes reports of. */
  readonly #held = new Map<KafkaProducer, Set<Appending>>();
  /** Records that were in the topic at the start, and those that were appended since by this process. */
  #end: number;
  #closed = false;
  #confirmedAt = performance.now();
  #refused: string | null = null;

  private constructor(options: KafkaJournalOptions, producer: KafkaProducer, end: number) {
    this.#options = options;
    this.journalId = options.journalId;
    this.#producer = producer;
    this.#end = end;
    this.#listen(producer);
    if (options.watch) void this.#watch(options.watch);
  }

  /** @throws KafkaError when the cluster cannot be reached. */
  static async open(options: KafkaJournalOptions): Promise<KafkaJournal> {
    const producer = await connect(options);
    try {
      return new KafkaJournal(options, producer, await recordsIn(options.topic, producer));
    } catch (error) {
      producer.disconnect();
      throw error;
    }
  }

  /** Counts records, since each partition has an end of its own: those found at the start, and those of this process. */
  get end(): number {
    return this.#end;
  }

  append(entries: readonly JournalEntry[]): Promise<void> {
    if (entries.length === 0) return Promise.resolve();
    if (this.#closed) return Promise.reject(new JournalFull('the journal is closed'));
    const max = this.#options.maxWaitingRows ?? MAX_WAITING_ROWS;
    if (this.#waitingRows + entries.length > max) {
      return Promise.reject(new JournalFull(`${this.#waitingRows} records wait for Kafka already`));
    }
    return new Promise((resolve, reject) => {
      const appending: Appending = { waiting: 0, probe: false, resolve, reject };
      const producer = this.#producer;
      failpoint('before-journal-commit');
      try {
        // Most requests are one screen's, so that one key serves them all; a string would be encoded again for each record.
        let device: string | null = null;
        let key: Buffer | null = null;
        for (const { record } of entries) {
          const deviceId = recordDeviceId(record);
          if (deviceId !== device) key = deviceId === null ? null : Buffer.from(deviceId, 'latin1');
          device = deviceId;
          // The record is copied here, so it may change afterwards.
          const value = Buffer.isBuffer(record) ? record : Buffer.from(record.buffer, record.byteOffset, record.byteLength);
          producer.produce(this.#options.topic, null, value, key, null, appending);
          this.#hold(producer, appending);
        }
      } catch (error) {
        reject(full(error as Error));
        this.#failed(producer, error as KafkaError);
      }
    });
  }

  close(): void {
    this.#closed = true;
    this.#retire(this.#producer, new Error('the journal is closed'));
  }

  #listen(producer: KafkaProducer): void {
    producer.on('delivery-report', (error: KafkaError | null, report: DeliveryReport) => {
      this.#delivered(producer, error, report);
      if (error) this.#failed(producer, error);
    });
    producer.on('event.error', (error: KafkaError) => this.#failed(producer, error));
  }

  /** The client's event of a fatal error does not say that it is one: every later call does. */
  #failed(producer: KafkaProducer, error: KafkaError): void {
    if (error.isFatal || error.code === FATAL) void this.#replace(producer, error);
  }

  #hold(producer: KafkaProducer, appending: Appending): void {
    let held = this.#held.get(producer);
    if (!held) this.#held.set(producer, (held = new Set()));
    held.add(appending);
    appending.waiting += 1;
    if (!appending.probe) this.#waitingRows += 1;
  }

  #delivered(producer: KafkaProducer, error: KafkaError | null, report: DeliveryReport): void {
    const appending = report.opaque as Appending;
    const held = this.#held.get(producer);
    // It was given up already.
    if (!held?.has(appending)) return;
    if (!appending.probe) this.#waitingRows -= 1;
    appending.waiting -= 1;
    if (appending.waiting === 0) held.delete(appending);
    if (error) {
      this.#found(error.message);
      appending.reject(full(error));
      return;
    }
    this.#confirmedAt = performance.now();
    if (!appending.probe) this.#end += 1;
    if (appending.waiting > 0) return;
    if (!appending.probe) failpoint('after-journal-commit');
    appending.resolve();
  }

  /** A refused write is enough to say so; that writes are taken again is believed after a probe alone. */
  #found(refused: string | null): void {
    const changed = (this.#refused === null) !== (refused === null);
    this.#refused = refused;
    if (changed && !this.#closed) this.#options.watch?.onChange(refused);
  }

  async #watch(watch: JournalWatch): Promise<void> {
    while (!this.#closed) {
      await sleep(PROBE_EVERY_MS, undefined, { ref: false });
      if (this.#closed || (this.#refused === null && performance.now() - this.#confirmedAt < PROBE_EVERY_MS)) continue;
      await this.#probe(watch).then(
        () => this.#found(null),
        (error: Error) => {
          this.#found(error.message);
          this.#failed(this.#producer, error as KafkaError);
        },
      );
    }
  }

  /**
   * Every partition of the journal must have a leader with enough replicas in sync; and since what a broker tells of that may be old,
   * a record is written as well, to a topic where it is compacted away: in the journal it would have to be settled.
   */
  async #probe({ probeTopic, minInsync }: JournalWatch): Promise<void> {
    const { topic } = this.#options;
    const { topics } = await settled<ClusterMetadata>((done) => this.#producer.getMetadata({ topic, timeout: CONNECT_TIMEOUT_MS }, done));
    const partitions = topics.find(({ name }) => name === topic)?.partitions ?? [];
    const lacking = partitions.find(({ leader, isrs }) => leader < 0 || isrs.length < minInsync);
    if (lacking)
      throw new Error(`partition ${lacking.id} of "${topic}" has ${lacking.leader < 0 ? 'no leader' : 'too few replicas in sync'}`);
    if (partitions.length === 0) throw new Error(`the topic "${topic}" is not there`);
    // Bounded here too: a producer that is replaced meanwhile may never report.
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error('a probe was not confirmed in time')), CONNECT_TIMEOUT_MS + DELIVERY_TIMEOUT_MS);
    try {
      const probe: Appending = { waiting: 0, probe: true, resolve, reject };
      const producer = this.#producer;
      producer.produce(probeTopic, null, Buffer.from(this.journalId), PROBE_KEY, null, probe);
      this.#hold(producer, probe);
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * An idempotent producer that lost its place in the sequence can never send again; a new one begins a sequence of its own. One that
   * cannot be connected is spent as well, so the next is tried; meanwhile appends are refused.
   */
  async #replace(broken: KafkaProducer, cause: KafkaError): Promise<void> {
    if (this.#producer !== broken || this.#closed) return;
    this.#options.onWarning(`the journal's producer could not go on and is replaced: ${cause.message}`);
    let fresh = this.#renewed();
    this.#retire(broken, cause);
    for (;;) {
      try {
        await settled((done) => fresh.connect({ timeout: CONNECT_TIMEOUT_MS }, done));
        if (this.#producer !== fresh || this.#closed) this.#retire(fresh, cause);
        else fresh.setPollInterval(this.#options.pollMs ?? POLL_MS);
        return;
      } catch (error) {
        this.#options.onWarning(`the journal's new producer is not connected yet: ${(error as Error).message}`);
      }
      await sleep(RECONNECT_MS);
      if (this.#producer !== fresh || this.#closed) return;
      fresh = this.#renewed();
    }
  }

  /**
   * What it still holds is mostly reported while it flushes. Where a broker never answered, the client drops the reports as it ends: an
   * append without one would wait for ever, and so would every repeat of its logs.
   */
  #retire(producer: KafkaProducer, cause: Error): void {
    const giveUp = (): void => {
      for (const appending of this.#held.get(producer) ?? []) {
        if (!appending.probe) this.#waitingRows -= appending.waiting;
        appending.reject(full(cause));
      }
      this.#held.delete(producer);
    };
    // It flushes for 5 s. One that is being connected is disconnected by whoever connects it, and holds nothing.
    if (producer.isConnected()) producer.disconnect(giveUp);
    else giveUp();
  }

  #renewed(): KafkaProducer {
    const fresh = create(this.#options);
    this.#producer = fresh;
    this.#listen(fresh);
    return fresh;
  }
}

async function recordsIn(topic: string, producer: KafkaProducer): Promise<number> {
  const { topics } = await settled<ClusterMetadata>((done) => producer.getMetadata({ topic, timeout: CONNECT_TIMEOUT_MS }, done));
  let records = 0;
  for (const { id } of topics.find(({ name }) => name === topic)?.partitions ?? []) {
    const { highOffset } = await settled<Watermarks>((done) => producer.queryWatermarkOffsets(topic, id, CONNECT_TIMEOUT_MS, done));
    records += highOffset;
  }
  return records;
}

function full(cause: Error): JournalFull {
  return new JournalFull(`Kafka did not confirm the records (${cause.message}); whether it has them is not known`, { cause });
}

function create({
  client,
  config,
  deliveryTimeoutMs = DELIVERY_TIMEOUT_MS,
  maxWaitingRows = MAX_WAITING_ROWS,
}: KafkaJournalOptions): KafkaProducer {
  return new client.Producer(
    {
      'linger.ms': LINGER_MS,
      ...config,
      'enable.idempotence': true,
      'socket.timeout.ms': Math.min(6_000, deliveryTimeoutMs),
      'queue.buffering.max.messages': maxWaitingRows,
      'queue.buffering.max.kbytes': MAX_WAITING_KIBIBYTES,
      dr_cb: true,
    },
    // Here and not above, where the partitioner would be ignored without a word.
    { partitioner: 'murmur2_random', acks: -1, 'message.timeout.ms': deliveryTimeoutMs },
  );
}

async function connect(options: KafkaJournalOptions): Promise<KafkaProducer> {
  const producer = create(options);
  await settled((done) => producer.connect({ timeout: CONNECT_TIMEOUT_MS }, done));
  producer.setPollInterval(options.pollMs ?? POLL_MS);
  return producer;
}
