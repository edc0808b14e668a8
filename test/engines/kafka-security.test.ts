/** TLS and SASL against a real broker: both the native client and our own connection get in, and say why not. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FeedPositions } from '../../src/analytics/feed-source.ts';
import { Loader } from '../../src/analytics/loader.ts';
import type { AnalyticsSink } from '../../src/analytics/sink.ts';
import type { KafkaSettings } from '../../src/config.ts';
import { KafkaFeedSource } from '../../src/feed/kafka-source.ts';
import { KafkaJournal } from '../../src/journal/kafka-journal.ts';
import { loadKafkaClient, settled } from '../../src/kafka/client.ts';
import type { ClusterMetadata } from '../../src/kafka/client-types.ts';
import { KafkaRefused, KafkaUnreachable } from '../../src/kafka/errors.ts';
import { connectionConfig } from '../../src/kafka/settings.ts';
import { prepareTopics } from '../../src/kafka/topics.ts';
import { EngineSettlement } from '../../src/settle/engine-settlement.ts';
import { beginKafkaJournal, kafkaTopics } from '../../src/settle/kafka-begin.ts';
import { KafkaSettleLog } from '../../src/settle/kafka-settle-log.ts';
import { playOf } from '../support/feed-file.ts';
import { playEntry } from '../support/journal-entries.ts';
import { MemoryArchive } from './kafka/memory-archive.ts';
import { startKafka } from './support/engines.ts';
import { plainSettings } from './support/kafka-settings.ts';

const USER = 'fleet,=1';
const PASSWORD = 'pass word"=,1';

let directory: string;
let kafka: Awaited<ReturnType<typeof startKafka>>;
let secured: string;

const at = (name: string): string => path.join(directory, name);
const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });

/** A certificate for 127.0.0.1, signed by the authority `ca`. */
function certificate(name: string): void {
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
  writeFileSync(at('san.cnf'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'san.cnf'];
  openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-out', `${name}.pem`);
}

function authority(name: string): void {
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.pem`,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
  );
}

beforeAll(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'playproof-tls-'));
  authority('ca');
  authority('stranger');
  certificate('broker');
  certificate('client');
  writeFileSync(at('keystore.pem'), readFileSync(at('broker.key'), 'utf8') + readFileSync(at('broker.pem'), 'utf8'));
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  kafka = await startKafka({
    brokers: 1,
    config: {
      listeners: 'PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{port}',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': at('keystore.pem'),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': at('ca.pem'),
      'listener.name.sasl_ssl.ssl.client.auth': 'required',
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config': scram,
      'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': scram,
      'listener.name.sasl_ssl.plain.sasl.jaas.config':
        'org.apache.kafka.common.security.plain.PlainLoginModule required user_plainuser="plainpass";',
    },
    format: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name="scramuser",password="scrampass"]`,
    ]),
  });
  secured = `127.0.0.1:${kafka.brokers[0]?.otherPort}`;
});
afterAll(async () => {
  await kafka.dispose();
  rmSync(directory, { recursive: true, force: true });
});

function settings(change: Partial<KafkaSettings> = {}): KafkaSettings {
  return {
    ...plainSettings(secured),
    allowWeak: true,
    tls: true,
    caFile: at('ca.pem'),
    certFile: at('client.pem'),
    keyFile: at('client.key'),
    saslMechanism: 'SCRAM-SHA-512',
    saslUsername: 'scramuser',
    saslPassword: 'scrampass',
    ...change,
  };
}

const PLAIN = { saslMechanism: 'PLAIN', saslUsername: 'plainuser', saslPassword: 'plainpass' };

describe('TLS with client certificates and SASL', () => {
  it.each([
    ['SCRAM-SHA-512', {}],
    ['SCRAM-SHA-256', { saslMechanism: 'SCRAM-SHA-256' }],
    ['PLAIN', PLAIN],
  ] as const)('let us in by %s', async (_mechanism, change) => {
    const made = await prepareTopics(settings(change), ['feed']);
    expect(made.get('feed')?.partitions).toBe(3);
    const client = await loadKafkaClient();
    const producer = new client.Producer(connectionConfig(settings(change)));
    const metadata = await settled<ClusterMetadata>((done) => producer.connect({ timeout: 10_000, allTopics: true }, done));
    await settled((done) => producer.disconnect(done));
    expect(metadata.topics.map(({ name }) => name)).toContain('playback-logs');
  });

  it('let accepting, settling and loading work: the producer, a group, transactions and the reader of committed records', async () => {
    const names = { journal: 'secured.journal', feed: 'secured', positions: 'secured.positions' };
    const topics = kafkaTopics(await prepareTopics(settings(), ['journal', 'feed', 'positions'], { names }));
    const client = await loadKafkaClient();
    const config = connectionConfig(settings());
    await beginKafkaJournal(client, config, topics);
    const plays = Array.from({ length: 40 }, (_, n) => playOf(n));
    const onWarning = (): void => {};

    const journal = await KafkaJournal.open({ client, config, topic: topics.journal, journalId: topics.journalId, onWarning });
    await journal.append([...plays, ...plays.slice(0, 5)].map(playEntry));
    journal.close();

    const log = await KafkaSettleLog.open({ client, config, topics, groupId: 'secured-settle', instance: 'one', onWarning });
    const settlement = new EngineSettlement({ log, archive: new MemoryArchive(), onPoison: onWarning, now: Date.now });
    const sum = { taken: 0, owners: 0, duplicates: 0 };
    while (sum.taken < 45) {
      const { taken, owners, duplicates } = await settlement.step(20);
      sum.taken += taken;
      sum.owners += owners;
      sum.duplicates += duplicates;
    }
    await log.close();
    expect(sum).toEqual({ taken: 45, owners: 40, duplicates: 5 });

    const saved = new Map<string, FeedPositions>();
    const sink: AnalyticsSink = {
      positions: async () => saved,
      lastPlay: async () => null,
      insert: async () => {},
      savePositions: async (feedId, next) => void saved.set(feedId, next),
      discard: async () => {},
    };
    const source = new KafkaFeedSource({ client, config, topic: topics.feed, feedId: 'secured' });
    const loader = new Loader(source, sink);
    while (loader.status.rowsLoaded < 40) await loader.step();
    source.close();
    expect(loader.status).toMatchObject({ rowsLoaded: 40, lastError: null });
  });

  it.each([
    ['a wrong password', { saslPassword: 'other' }, /refuses the credentials .*PLAYPROOF_KAFKA_SASL_USERNAME and _PASSWORD/],
    ['an unknown user', { saslUsername: USER, saslPassword: PASSWORD }, /refuses the credentials/],
    ['a wrong password in PLAIN', { ...PLAIN, saslPassword: 'other' }, /refuses the credentials/],
    ['an authority that did not sign', { caFile: 'stranger.pem' }, /certificate is not trusted.*PLAYPROOF_KAFKA_CA_FILE/],
    ['no client certificate', { certFile: null, keyFile: null }, /does not take ours.*PLAYPROOF_KAFKA_CA_FILE and _CERT_FILE/],
  ] as const)('say what is wrong with %s', async (_what, change, sentence) => {
    const files = 'caFile' in change ? { caFile: at(change.caFile) } : {};
    const refused = prepareTopics(settings({ ...change, ...files }), ['feed']);
    await expect(refused).rejects.toThrow(sentence);
    await expect(refused).rejects.toThrow(KafkaRefused);
  });

  it('say that a port without TLS has none, and that a port with SASL wants it', async () => {
    const plainPort = prepareTopics(settings({ brokers: kafka.bootstrap }), ['feed']);
    // A broker that is just starting looks the same: it may help to try again.
    await expect(plainPort).rejects.toThrow(KafkaUnreachable);
    await expect(plainPort).rejects.toThrow(/a port without TLS does that/);
    const without = settings({ saslMechanism: null, saslUsername: null, saslPassword: null });
    await expect(prepareTopics(without, ['feed'])).rejects.toThrow(/closed the connection.*authentic/);
  });
});
