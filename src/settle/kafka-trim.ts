/** Deletes what is settled from the journal's topic; nothing else ever deletes there. */
import { settled } from '../kafka/client.ts';
import type { KafkaClient, KafkaError, RdKafkaConfig } from '../kafka/client-types.ts';

/** Records are deleted in steps: each is a request to the cluster. */
const EVERY_MS = 60_000;
const TIMEOUT_MS = 10_000;

export interface KafkaTrimOptions {
  readonly client: KafkaClient;
  readonly config: RdKafkaConfig;
  readonly topic: string;
  readonly everyMs?: number;
  readonly onWarning: (message: string) => void;
}

export class KafkaTrim {
  readonly #options: KafkaTrimOptions;
  readonly #upTo = new Map<number, number>();
  #at = performance.now();

  constructor(options: KafkaTrimOptions) {
    this.#options = options;
  }

  /**
   * Everything before `offset` is settled, and the last record before it was published: going no further than that keeps a position
   * that is found again from the feed inside the journal.
   */
  published(partition: number, offset: number): void {
    this.#upTo.set(partition, offset);
  }

  /** Deletes, when it is time again. */
  async run(): Promise<void> {
    const { client, config, topic, everyMs = EVERY_MS, onWarning } = this.#options;
    if (this.#upTo.size === 0 || performance.now() - this.#at < everyMs) return;
    this.#at = performance.now();
    const records = [...this.#upTo].map(([partition, offset]) => ({ topic, partition, offset }));
    this.#upTo.clear();
    const admin = client.AdminClient.create(config);
    try {
      const results = await settled<readonly { readonly error?: KafkaError }[]>((done) =>
        admin.deleteRecords(records, { timeout: TIMEOUT_MS }, done),
      );
      const failed = results.find(({ error }) => error !== undefined && error.code !== 0)?.error;
      if (failed) throw failed;
    } catch (error) {
      // What is not deleted now is deleted with the next ones.
      onWarning(`settled records of "${topic}" could not be deleted yet: ${(error as Error).message}`);
    } finally {
      admin.disconnect();
    }
  }
}
