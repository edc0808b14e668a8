/** The settings of a broker that is also a controller (KRaft), for tests: quick to start, quick to notice a dead one. */
export interface BrokerConfig {
  readonly node: number;
  readonly directory: string;
  readonly port: number;
  readonly controllerPort: number;
  /** `1@127.0.0.1:20001,2@...` */
  readonly voters: string;
  readonly replicas: number;
  readonly minInsyncReplicas: number;
  /** Come last and win. */
  readonly further: Readonly<Record<string, string>>;
}

export function serverProperties(broker: BrokerConfig): string {
  const listeners = broker.further['listeners'] ?? `PLAINTEXT://127.0.0.1:${broker.port}`;
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': String(broker.node),
    'controller.quorum.voters': broker.voters,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': `${broker.directory}/data`,
    // Topics that the broker makes for itself.
    'default.replication.factor': String(broker.replicas),
    'min.insync.replicas': String(broker.minInsyncReplicas),
    'offsets.topic.replication.factor': String(broker.replicas),
    'offsets.topic.num.partitions': '8',
    'transaction.state.log.replication.factor': String(broker.replicas),
    'transaction.state.log.min.isr': String(broker.minInsyncReplicas),
    'transaction.state.log.num.partitions': '8',
    'share.coordinator.state.topic.replication.factor': String(broker.replicas),
    'share.coordinator.state.topic.min.isr': String(broker.minInsyncReplicas),
    'num.partitions': '1',
    'auto.create.topics.enable': 'false',
    // Quick tests: groups form at once, a broker killed with -9 may register again after 3 s.
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    // Small: several brokers share two cores with the tests.
    'num.network.threads': '2',
    'num.io.threads': '4',
    'num.recovery.threads.per.data.dir': '1',
    'log.cleaner.dedupe.buffer.size': String(16 * 1024 * 1024),
    'log.cleaner.threads': '1',
    'log.segment.bytes': String(64 * 1024 * 1024),
    ...broker.further,
    listeners: `${listeners},CONTROLLER://127.0.0.1:${broker.controllerPort}`,
    'advertised.listeners': broker.further['advertised.listeners'] ?? listeners,
  };
  return `${Object.entries(properties)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`;
}
