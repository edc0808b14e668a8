import { describe, expect, it } from 'vitest';
import type { KafkaSettings } from '../../../src/config.ts';
import { brokerAddresses, connectionConfig, settingsFaults, tlsContext } from '../../../src/kafka/settings.ts';

const PLAIN: KafkaSettings = {
  brokers: 'a:9092,b:9093',
  partitions: 12,
  allowWeak: false,
  tls: false,
  caFile: null,
  certFile: null,
  keyFile: null,
  saslMechanism: null,
  saslUsername: null,
  saslPassword: null,
};
const SASL = { saslMechanism: 'SCRAM-SHA-512', saslUsername: 'billing', saslPassword: 'secret' };

describe('Kafka settings', () => {
  it.each([
    [{}, 'plaintext'],
    [{ tls: true }, 'ssl'],
    [SASL, 'sasl_plaintext'],
    [{ ...SASL, tls: true }, 'sasl_ssl'],
  ])('%j are security.protocol %s', (change, protocol) => {
    expect(connectionConfig({ ...PLAIN, ...change })).toMatchObject({
      'security.protocol': protocol,
      'bootstrap.servers': 'a:9092,b:9093',
    });
  });

  it('are handed to librdkafka by its names, and nothing that was not given', () => {
    const files = { tls: true, caFile: '/ca.pem', certFile: '/cert.pem', keyFile: '/key.pem' };
    expect(connectionConfig({ ...PLAIN, ...files, ...SASL })).toMatchObject({
      'ssl.ca.location': '/ca.pem',
      'ssl.certificate.location': '/cert.pem',
      'ssl.key.location': '/key.pem',
      'sasl.mechanism': 'SCRAM-SHA-512',
      'sasl.username': 'billing',
      'sasl.password': 'secret',
    });
    expect(Object.keys(connectionConfig(PLAIN)).filter((name) => /^(ssl|sasl)/.test(name))).toEqual([]);
  });

  it.each([
    [{ caFile: '/ca.pem' }, /need PLAYPROOF_KAFKA_TLS=true/],
    [{ tls: true, certFile: '/cert.pem' }, /CERT_FILE and PLAYPROOF_KAFKA_KEY_FILE go together/],
    [{ tls: true, keyFile: '/key.pem' }, /CERT_FILE and PLAYPROOF_KAFKA_KEY_FILE go together/],
    [{ saslUsername: 'billing' }, /need PLAYPROOF_KAFKA_SASL_MECHANISM/],
    [{ ...SASL, saslPassword: null }, /needs PLAYPROOF_KAFKA_SASL_USERNAME and PLAYPROOF_KAFKA_SASL_PASSWORD/],
    [{ ...SASL, saslMechanism: 'GSSAPI' }, /"GSSAPI"; it must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512/],
    [{ brokers: 'a:9092,:9093' }, /PLAYPROOF_KAFKA_BROKERS: ":9093" is not host:port/],
    [{ brokers: 'a:0' }, /"a:0" is not host:port/],
    [{ brokers: 'a:70000' }, /"a:70000" is not host:port/],
    [{ brokers: '' }, /"" is not host:port/],
  ])('%j are refused with a sentence', (change, sentence) => {
    expect(settingsFaults({ ...PLAIN, ...change })).toEqual([expect.stringMatching(sentence)]);
    expect(() => connectionConfig({ ...PLAIN, ...change })).toThrow(sentence);
  });

  it('never show the password in a fault', () => {
    expect(settingsFaults({ ...PLAIN, ...SASL, saslMechanism: 'X', certFile: '/c' }).join()).not.toContain('secret');
  });

  it('name brokers with a port or without, IPv6 in brackets', () => {
    expect(brokerAddresses('kafka-1:9093, 10.0.0.7 ,[::1]:9094')).toEqual([
      { host: 'kafka-1', port: 9093 },
      { host: '10.0.0.7', port: 9092 },
      { host: '::1', port: 9094 },
    ]);
  });

  it('name the setting of a file that cannot be read', () => {
    expect(() => tlsContext({ ...PLAIN, tls: true, caFile: '/nowhere/ca.pem' })).toThrow(/PLAYPROOF_KAFKA_CA_FILE: ENOENT/);
  });
});
