/** How to reach the brokers, in librdkafka's words and in those of Node's sockets. */
import { readFileSync } from 'node:fs';
import { getCACertificates, type SecureContextOptions } from 'node:tls';
import type { KafkaSettings } from '../config.ts';
import type { RdKafkaConfig } from './client-types.ts';

/** The settings cannot work together, or a file that they name cannot be read. Each sentence names its setting. */
export class KafkaSettingsError extends Error {
  override readonly name = 'KafkaSettingsError';
}

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORT = 9_092;
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'];

/**
 * What every producer, consumer and admin client gets; theirs comes on top.
 *
 * @throws KafkaSettingsError
 */
export function connectionConfig(settings: KafkaSettings): RdKafkaConfig {
  const fault = settingsFaults(settings)[0];
  if (fault !== undefined) throw new KafkaSettingsError(fault);
  const { tls, saslMechanism } = settings;
  const security = saslMechanism === null ? (tls ? 'ssl' : 'plaintext') : tls ? 'sasl_ssl' : 'sasl_plaintext';
  return {
    'client.id': 'playproof',
    'bootstrap.servers': settings.brokers,
    'security.protocol': security,
    // A broker that is back is found again within this time; librdkafka's own 10 s are as long as an append may take.
    'reconnect.backoff.max.ms': 2_000,
    // A broker may close idle connections; librdkafka opens them again by itself.
    'log.connection.close': false,
    ...given('ssl.ca.location', settings.caFile),
    ...given('ssl.certificate.location', settings.certFile),
    ...given('ssl.key.location', settings.keyFile),
    ...given('sasl.mechanism', saslMechanism),
    ...given('sasl.username', settings.saslUsername),
    ...given('sasl.password', settings.saslPassword),
  };
}

/** Everything that is wrong with them together, a sentence each. */
export function settingsFaults(settings: KafkaSettings): string[] {
  const faults: string[] = [];
  const { tls, caFile, certFile, keyFile, saslMechanism, saslUsername, saslPassword } = settings;
  try {
    brokerAddresses(settings.brokers);
  } catch (error) {
    faults.push((error as Error).message);
  }
  if (!tls && (caFile ?? certFile ?? keyFile) !== null) {
    faults.push('PLAYPROOF_KAFKA_CA_FILE, _CERT_FILE and _KEY_FILE need PLAYPROOF_KAFKA_TLS=true');
  }
  if ((certFile === null) !== (keyFile === null))
    faults.push('PLAYPROOF_KAFKA_CERT_FILE and PLAYPROOF_KAFKA_KEY_FILE go together: set both');
  if (saslMechanism === null) {
    if ((saslUsername ?? saslPassword) !== null) {
      faults.push('PLAYPROOF_KAFKA_SASL_USERNAME and _PASSWORD need PLAYPROOF_KAFKA_SASL_MECHANISM, for instance SCRAM-SHA-512');
    }
  } else {
    if (!MECHANISMS.includes(saslMechanism)) {
      faults.push(`PLAYPROOF_KAFKA_SASL_MECHANISM is "${saslMechanism}"; it must be one of ${MECHANISMS.join(', ')}`);
    }
    if (saslUsername === null || saslPassword === null) {
      faults.push('PLAYPROOF_KAFKA_SASL_MECHANISM needs PLAYPROOF_KAFKA_SASL_USERNAME and PLAYPROOF_KAFKA_SASL_PASSWORD');
    }
  }
  return faults;
}

/** `host:port,…`; an IPv6 address stands in brackets. @throws KafkaSettingsError */
export function brokerAddresses(brokers: string): BrokerAddress[] {
  return brokers.split(',').map((text) => {
    const found = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/i.exec(text.trim());
    const host = found?.[1] ?? found?.[2];
    const port = Number(found?.[3] ?? DEFAULT_PORT);
    if (host === undefined || port < 1 || port > 65_535) {
      throw new KafkaSettingsError(`PLAYPROOF_KAFKA_BROKERS: "${text.trim()}" is not host:port`);
    }
    return { host, port };
  });
}

/** For `tls.connect`. @throws KafkaSettingsError when a file cannot be read. */
export function tlsContext(settings: KafkaSettings): SecureContextOptions {
  const { caFile, certFile, keyFile } = settings;
  return {
    // Without a file librdkafka trusts what the system trusts: so do we.
    ca: caFile === null ? [...getCACertificates('default'), ...getCACertificates('system')] : read('PLAYPROOF_KAFKA_CA_FILE', caFile),
    ...(certFile === null ? {} : { cert: read('PLAYPROOF_KAFKA_CERT_FILE', certFile) }),
    ...(keyFile === null ? {} : { key: read('PLAYPROOF_KAFKA_KEY_FILE', keyFile) }),
  };
}

function read(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new KafkaSettingsError(`${setting}: ${(error as Error).message}`, { cause: error });
  }
}

function given(name: string, value: string | null): RdKafkaConfig {
  return value === null ? {} : { [name]: value };
}
