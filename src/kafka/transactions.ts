/**
 * A producer of transactions, and the one place where its errors are told apart. librdkafka knows three kinds: repeat the same call,
 * abort, or leave the process. What a commit came to is never guessed: the call is repeated until the broker has said it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { failpoint } from '../failpoints.ts';
import { Fenced, StaleBatch } from '../settle/ports.ts';
import { settled } from './client.ts';
import type {
  Done,
  KafkaClient,
  KafkaConsumer,
  KafkaError,
  KafkaProducer,
  MessageHeaders,
  RdKafkaConfig,
  TopicPartitionOffset,
} from './client-types.ts';

/** The producer cannot be used again and nobody fenced it: the process has to be started anew. */
export class ProducerBroken extends Error {
  override readonly name = 'ProducerBroken';
}

export interface TransactionMessage {
  readonly topic: string;
  /** Decides the partition, as Java's client would. */
  readonly key: string;
  readonly value: Buffer;
  readonly headers: MessageHeaders;
}

/** Positions of a consumer group that move with the transaction, as members of the generation that `consumer` is in now. */
export interface MovedOffsets {
  readonly consumer: KafkaConsumer;
  readonly offsets: TopicPartitionOffset[];
}

export interface TransactionsOptions {
  readonly transactionalId: string;
  /** How long the broker keeps a transaction open whose producer died; its readers wait for so long. */
  readonly transactionTimeoutMs?: number;
}

const TRANSACTION_TIMEOUT_MS = 8_000;
const INIT_TIMEOUT_MS = 15_000;
const CALL_TIMEOUT_MS = 5_000;
/** How long sending offsets is repeated before the transaction is given up. */
const SEND_OFFSETS_MS = 30_000;
const QUEUE_FULL_WAIT_MS = 5;
const POLL_MS = 100;

const QUEUE_FULL = -184;
/** librdkafka's FENCED, and Kafka's INVALID_PRODUCER_EPOCH, FENCED_INSTANCE_ID, PRODUCER_FENCED. */
const FENCED_CODES = new Set([-144, 47, 82, 90]);
const FATAL = -150;
/** Kafka's ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS: the partitions are no longer ours. */
const STALE_CODES = new Set([22, 25, 27]);

export class Transactions {
  readonly #producer: KafkaProducer;
  readonly #transactionalId: string;
  #left: Error | null = null;
  #closed = false;

  private constructor(producer: KafkaProducer, transactionalId: string) {
    this.#producer = producer;
    this.#transactionalId = transactionalId;
  }

  /**
   * Connects and fences every earlier producer of the same `transactionalId`: when this resolves, their transactions are either
   * committed or aborted, and they cannot begin another.
   *
   * @throws KafkaError when the cluster cannot be reached.
   */
  static async open(client: KafkaClient, config: RdKafkaConfig, options: TransactionsOptions): Promise<Transactions> {
    const transactionTimeout = options.transactionTimeoutMs ?? TRANSACTION_TIMEOUT_MS;
    const producer = new client.Producer(
      {
        ...config,
        'transactional.id': options.transactionalId,
        'transaction.timeout.ms': transactionTimeout,
        'socket.timeout.ms': 6_000,
        'linger.ms': 2,
      },
      // Here and not above, where it would be ignored without a word.
      { partitioner: 'murmur2_random', acks: -1, 'message.timeout.ms': transactionTimeout },
    );
    try {
      await settled((done) => producer.connect({ timeout: CALL_TIMEOUT_MS }, done));
      producer.setPollInterval(POLL_MS);
      const transactions = new Transactions(producer, options.transactionalId);
      await transactions.#repeat((done) => producer.initTransactions(CALL_TIMEOUT_MS, done), INIT_TIMEOUT_MS);
      return transactions;
    } catch (error) {
      await disconnect(producer);
      throw error;
    }
  }

  /**
   * Sends the messages and moves the offsets, all or nothing. When it rejects with anything but Fenced or ProducerBroken, nothing
   * happened.
   *
   * @throws StaleBatch when the offsets' partitions went to another member; Fenced or ProducerBroken: the process must end, and
   *   what the last transaction came to is seen by whoever comes next.
   */
  async run(messages: Iterable<TransactionMessage>, moved: MovedOffsets | null): Promise<void> {
    if (this.#left) throw this.#left;
    try {
      await settled((done) => this.#producer.beginTransaction(done));
      for (const message of messages) await this.#produce(message);
      if (moved) {
        const { offsets, consumer } = moved;
        await this.#repeat((done) => this.#producer.sendOffsetsToTransaction(offsets, consumer, CALL_TIMEOUT_MS, done), SEND_OFFSETS_MS);
      }
      failpoint('inside-feed-transaction');
      // Once begun, a commit can only be repeated: whether it took effect is not known before the broker has said so.
      await this.#repeat((done) => this.#producer.commitTransaction(CALL_TIMEOUT_MS, done), Number.POSITIVE_INFINITY);
    } catch (error) {
      throw await this.#abort(error as KafkaError);
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    return disconnect(this.#producer);
  }

  async #produce({ topic, key, value, headers }: TransactionMessage): Promise<void> {
    for (;;) {
      try {
        this.#producer.produce(topic, null, value, key, null, undefined, headers);
        return;
      } catch (error) {
        if ((error as KafkaError).code !== QUEUE_FULL) throw error;
        this.#producer.poll();
        await sleep(QUEUE_FULL_WAIT_MS);
      }
    }
  }

  /** Repeats a call while its error says that this is what to do. */
  async #repeat(call: (done: Done) => void, forMs: number): Promise<void> {
    const end = performance.now() + forMs;
    for (;;) {
      try {
        return await settled(call);
      } catch (error) {
        const { isRetriable, isTxnRequiresAbort } = error as KafkaError;
        if (!isRetriable || isTxnRequiresAbort || this.#closed || this.#left || performance.now() > end) throw error;
        await sleep(QUEUE_FULL_WAIT_MS);
      }
    }
  }

  /** Ends the failed transaction; returns what to throw. */
  async #abort(error: KafkaError): Promise<Error> {
    // "Fatal" alone says nothing: the reason comes with the next call of a transaction.
    if (this.#isLeaving(error)) return this.#leave(error.code === FATAL ? await this.#reason(error) : error);
    try {
      await this.#repeat((done) => this.#producer.abortTransaction(CALL_TIMEOUT_MS, done), Number.POSITIVE_INFINITY);
    } catch (abortError) {
      return this.#leave(abortError as KafkaError);
    }
    if (STALE_CODES.has(error.code)) return new StaleBatch(`the partitions went to another settler: ${error.message}`, { cause: error });
    return error;
  }

  #reason(error: KafkaError): Promise<KafkaError> {
    return settled((done) => this.#producer.abortTransaction(CALL_TIMEOUT_MS, done)).then(
      () => error,
      (reason: KafkaError) => reason,
    );
  }

  #isLeaving(error: KafkaError): boolean {
    return this.#left !== null || this.#closed || error.isFatal === true || error.code === FATAL || FENCED_CODES.has(error.code);
  }

  #leave(error: KafkaError): Error {
    this.#left ??= this.#leaving(error);
    return this.#left;
  }

  #leaving(error: KafkaError): Error {
    if (FENCED_CODES.has(error.code) || /fenced|epoch/i.test(error.message)) {
      return new Fenced(
        `another settler took over as "${this.#transactionalId}", or this one was stopped for too long (${error.message}); it publishes no more`,
        { cause: error },
      );
    }
    return new ProducerBroken(`the producer "${this.#transactionalId}" cannot be used again: ${error.message}`, { cause: error });
  }
}

/** Lets go of the connection. A broker that does not answer must not hold up the end of the process. */
function disconnect(producer: KafkaProducer): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, CALL_TIMEOUT_MS);
    if (!producer.isConnected()) {
      clearTimeout(timer);
      resolve();
      return;
    }
    producer.disconnect(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
