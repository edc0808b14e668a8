import type { KafkaSettings } from '../../../src/config.ts';

/** As the environment gives them for a cluster without TLS and SASL. */
export function plainSettings(brokers: string): KafkaSettings {
  return {
    brokers,
    partitions: 3,
    allowWeak: false,
    tls: false,
    caFile: null,
    certFile: null,
    keyFile: null,
    saslMechanism: null,
    saslUsername: null,
    saslPassword: null,
  };
}
