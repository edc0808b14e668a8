/** The consumer of the settlers' group, with the group's decisions collected instead of applied. */
import { settled } from '../kafka/client.ts';
import type { KafkaClient, KafkaConsumer, KafkaError, RdKafkaConfig } from '../kafka/client-types.ts';

export interface GroupOptions {
  readonly client: KafkaClient;
  readonly config: RdKafkaConfig;
  readonly topic: string;
  readonly groupId: string;
  readonly instance: string;
  readonly sessionTimeoutMs?: number;
}

/** What the group has decided: partitions for this member, or (null) that it gives all of them up. */
export interface Rebalance {
  readonly assigned: readonly number[] | null;
}

export interface GroupConsumer {
  readonly consumer: KafkaConsumer;
  /** In the order in which they came; whoever applies them takes them out. Applied inside the callback, records were lost. */
  readonly rebalances: Rebalance[];
}

const SESSION_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 10_000;
/** How long a call of `consume` waits for a first record. */
const READ_WAIT_MS = 200;
const ASSIGN = -175;
const REVOKE = -174;

/** @throws KafkaError when the cluster cannot be reached. */
export async function joinGroup({ client, config, topic, groupId, instance, sessionTimeoutMs }: GroupOptions): Promise<GroupConsumer> {
  const rebalances: Rebalance[] = [];
  const consumer = new client.KafkaConsumer(
    {
      ...config,
      'group.id': groupId,
      'group.instance.id': instance,
      'session.timeout.ms': sessionTimeoutMs ?? SESSION_TIMEOUT_MS,
      'isolation.level': 'read_committed',
      'partition.assignment.strategy': 'range',
      'enable.auto.commit': false,
      'enable.auto.offset.store': false,
      'fetch.queue.backoff.ms': 10,
      'fetch.wait.max.ms': 50,
      rebalance_cb: (error: KafkaError, partitions: readonly { readonly partition: number }[]) => {
        if (error.code === ASSIGN) rebalances.push({ assigned: partitions.map(({ partition }) => partition) });
        else if (error.code === REVOKE) rebalances.push({ assigned: null });
      },
    },
    // Never begin anywhere by itself: it would bill everything again or lose the backlog.
    { 'auto.offset.reset': 'error' },
  );
  await settled((done) => consumer.connect({ timeout: CONNECT_TIMEOUT_MS }, done));
  consumer.setDefaultConsumeTimeout(READ_WAIT_MS);
  consumer.setDefaultIsTimeoutOnlyForFirstMessage(true);
  consumer.subscribe([topic]);
  return { consumer, rebalances };
}

/** Ends within a bound. While it closes, the group's last decision has to be applied at once, or closing never ends. */
export async function leaveGroup(consumer: KafkaConsumer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const letGo = (): void => {
    try {
      consumer.unassign();
    } catch {
      // It is disconnected already.
    }
  };
  const timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
  const atOnce = setInterval(letGo, 20);
  letGo();
  consumer.disconnect(() => resolve());
  await promise;
  clearTimeout(timer);
  clearInterval(atOnce);
}
