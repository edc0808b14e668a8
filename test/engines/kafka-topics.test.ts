/** Topics on a real cluster: made as they have to be, refused when they are weaker, named by what only this very topic has. */
import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyToEngines } from '../../src/compose/copy.ts';
import type { KafkaSettings } from '../../src/config.ts';
import { Progress } from '../../src/copy/progress.ts';
import { DATABASE_FILE, SqliteJournal } from '../../src/journal/sqlite-journal.ts';
import { openForReading } from '../../src/journal/sqlite-schema.ts';
import { loadKafkaClient, settled } from '../../src/kafka/client.ts';
import type { KafkaClient } from '../../src/kafka/client-types.ts';
import { describeCluster, describeTopicConfigs } from '../../src/kafka/describe.ts';
import { checkInternalTopics, prepareTopics, previewInternalTopics, TopicsRefused } from '../../src/kafka/topics.ts';
import { type BrokerConnection, withAnyBroker } from '../../src/kafka/wire.ts';
import { openForWriting as openRegistry, REGISTRY_FILE } from '../../src/registry/database.ts';
import { playOf } from '../support/feed-file.ts';
import { playEntry } from '../support/journal-entries.ts';
import { makeDataDir, removeDataDir } from '../support/service.ts';
import { waitUntil } from '../support/wait-until.ts';
import type { FromParent, ParentOptions } from './kafka/settle-parent.ts';
import { kafkaTool, startKafka } from './support/engines.ts';
import { plainSettings } from './support/kafka-settings.ts';

const SETTLER = path.join(import.meta.dirname, 'kafka', 'settle-parent.ts');
const ALL = ['journal', 'feed', 'positions'] as const;

let client: KafkaClient;
let kafka: Awaited<ReturnType<typeof startKafka>>;
let settings: KafkaSettings;

beforeAll(async () => {
  client = await loadKafkaClient();
  kafka = await startKafka({ brokers: 3 });
  settings = { ...plainSettings(kafka.bootstrap), partitions: 3 };
});
afterAll(() => kafka.dispose());

/** Names of its own for each test: nothing of one is left for another. */
function namesOf(prefix: string): { journal: string; feed: string; positions: string } {
  return { journal: `${prefix}.journal`, feed: prefix, positions: `${prefix}.positions` };
}

async function withAdmin(act: (admin: ReturnType<KafkaClient['AdminClient']['create']>) => Promise<unknown>): Promise<void> {
  const admin = client.AdminClient.create({ 'bootstrap.servers': kafka.bootstrap });
  await act(admin).finally(() => admin.disconnect());
}

/** Brokers hear of a change one after another: waits until each has, since any of them may be asked. */
async function heardByAll(has: (broker: BrokerConnection) => Promise<boolean>): Promise<void> {
  for (const brokers of kafka.bootstrap.split(',')) await waitUntil(() => withAnyBroker({ ...settings, brokers }, has));
}

async function alter(topic: string, change: string): Promise<void> {
  const entity = ['--bootstrap-server', kafka.bootstrap, '--entity-type', 'topics', '--entity-name', topic];
  await kafkaTool('kafka.admin.ConfigCommand', [...entity, '--alter', '--add-config', change]);
  const [name = '', value] = change.split('=');
  await heardByAll(async (broker) => (await describeTopicConfigs(broker, [topic])).get(topic)?.get(name) === value);
}

/** Why the settler under this parent does not settle. */
function settlerFails(parent: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    parent.on('message', (message: FromParent) => {
      if (message.type === 'said' && message.message.type === 'status' && message.message.status.lastError !== null)
        resolve(message.message.status.lastError);
    });
  });
}

describe('topics of a cluster', () => {
  it('are made once, as Kafka itself then describes them', async () => {
    const made = await prepareTopics(settings, ALL);
    expect([...made].map(([role, { name, partitions }]) => [role, name, partitions])).toEqual([
      ['journal', 'playback-logs.journal', 3],
      ['feed', 'playback-logs', 3],
      ['positions', 'playback-logs.positions', 1],
    ]);
    const { stdout } = await kafkaTool('org.apache.kafka.tools.TopicCommand', ['--bootstrap-server', kafka.bootstrap, '--describe']);
    const described = new Map(
      Array.from(stdout.matchAll(/^Topic: (\S+)\t.*ReplicationFactor: (\d+)\tConfigs: (\S+)$/gm), ([, name, replicas, config = '']) => [
        name,
        // The size that segments have by default is the test broker's.
        {
          replicas,
          config: config
            .split(',')
            .filter((pair) => pair !== 'segment.bytes=67108864')
            .sort(),
        },
      ]),
    );
    const kept = [
      'max.message.bytes=2097152',
      'message.timestamp.type=LogAppendTime',
      'min.insync.replicas=2',
      'unclean.leader.election.enable=false',
    ];
    const log = { replicas: '3', config: ['cleanup.policy=delete', ...kept, 'retention.bytes=-1', 'retention.ms=-1'].sort() };
    expect(described.get('playback-logs.journal')).toEqual(log);
    expect(described.get('playback-logs')).toEqual(log);
    const positions = ['cleanup.policy=compact', 'segment.bytes=8388608', ...kept].sort();
    expect(described.get('playback-logs.positions')).toEqual({ replicas: '3', config: positions });
    expect(await prepareTopics(settings, ALL)).toEqual(made);
  });

  it('are made once by two nodes that start at the same time', async () => {
    const names = namesOf('same-time');
    const both = await Promise.all([prepareTopics(settings, ALL, { names }), prepareTopics(settings, ALL, { names })]);
    expect(both[0]).toEqual(both[1]);
  });

  it('have another id when they were deleted and made again', async () => {
    const names = namesOf('again');
    const before = await prepareTopics(settings, ['journal'], { names });
    await withAdmin((admin) => settled((done) => admin.deleteTopic(names.journal, 10_000, done)));
    await heardByAll(async (broker) => !(await describeCluster(broker, [names.journal])).topics.has(names.journal));
    const after = await prepareTopics(settings, ['journal'], { names });
    expect(before.get('journal')?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(after.get('journal')?.id).not.toBe(before.get('journal')?.id);
  });

  it.each([
    ['journal', 'retention.ms=86400000', 'retention.ms is 86400000, it must be -1'],
    ['journal', 'retention.bytes=1000000', 'retention.bytes is 1000000, it must be -1'],
    ['journal', 'cleanup.policy=compact', 'cleanup.policy is compact, it must be delete'],
    ['journal', 'message.timestamp.type=CreateTime', 'message.timestamp.type is CreateTime, it must be LogAppendTime'],
    ['feed', 'max.message.bytes=65536', 'max.message.bytes is 65536, it must be at least 1048588'],
    ['positions', 'cleanup.policy=delete', 'cleanup.policy is delete, it must be compact'],
    ['positions', 'segment.bytes=1073741824', 'segment.bytes is 1073741824, it must be at most 67108864'],
  ] as const)('a %s with %s is refused, by a toy too', async (role, change, sentence) => {
    const names = namesOf(`wrong-${role}-${change.split('=')[0]}`);
    await prepareTopics(settings, [role], { names });
    await alter(names[role], change);
    for (const allowWeak of [false, true]) {
      const refused = prepareTopics({ ...settings, allowWeak }, [role], { names });
      await expect(refused).rejects.toThrow(TopicsRefused);
      await expect(refused).rejects.toThrow(sentence);
    }
  });

  it.each([
    ['min.insync.replicas=1', 'min.insync.replicas is 1, it must be at least 2'],
    ['unclean.leader.election.enable=true', 'unclean.leader.election.enable is true, it must be false'],
  ])('a journal with %s is refused, and taken by a toy', async (change, sentence) => {
    const names = namesOf(`weak-${change.split('=')[0]}`);
    await prepareTopics(settings, ['journal'], { names });
    await alter(names.journal, change);
    await expect(prepareTopics(settings, ['journal'], { names })).rejects.toThrow(sentence);
    await expect(prepareTopics({ ...settings, allowWeak: true }, ['journal'], { names })).resolves.toBeDefined();
  });

  it('with too few replicas are refused, and every fault is told at once', async () => {
    const names = namesOf('few-replicas');
    const topic = { topic: names.journal, num_partitions: 1, replication_factor: 2 };
    await withAdmin((admin) => settled((done) => admin.createTopic(topic, 10_000, done)));
    await expect(prepareTopics(settings, ['journal'], { names })).rejects.toThrow(
      /cannot be used: retention\.ms is 604800000.*message\.timestamp\.type.*\n.*could lose what was acknowledged: it has 2 replicas, it needs 3/,
    );
  });

  it.each([
    ['__consumer_offsets', 'min.insync.replicas=1', 'min.insync.replicas is 1, it must be at least 2'],
    ['__transaction_state', 'unclean.leader.election.enable=true', 'unclean.leader.election.enable is true, it must be false'],
  ])('the cluster keeps itself are checked as well: %s with %s is refused, and taken by a toy', async (topic, change, sentence) => {
    const uses = { group: 'a-group', transaction: 'a-producer' };
    // Nobody settled here before: the cluster makes them now.
    expect(await checkInternalTopics(settings, uses)).toEqual([]);
    await alter(topic, change);
    const refused = checkInternalTopics(settings, uses);
    await expect(refused).rejects.toThrow(TopicsRefused);
    const told = `the topic "${topic}" could lose what was settled: ${sentence}`;
    await expect(refused).rejects.toThrow(told);
    expect(await previewInternalTopics(settings, uses)).toEqual([expect.stringContaining(told)]);
    expect(await checkInternalTopics({ ...settings, allowWeak: true }, uses)).toEqual([]);
    const names = namesOf(`settler-${topic}`);
    const parent = fork(SETTLER, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    try {
      const said = settlerFails(parent);
      parent.send({ settings, names, groupId: 'a-group', mongodbUrl: 'mongodb://127.0.0.1:1' } satisfies ParentOptions);
      expect(await said).toContain(`the topic "${topic}" could lose what was settled`);
    } finally {
      parent.kill('SIGKILL');
      await alter(topic, topic === '__consumer_offsets' ? 'min.insync.replicas=2' : 'unclean.leader.election.enable=false');
    }
  });

  it('where transactions could be lost, nothing is copied to, and nothing is changed where it comes from', async () => {
    const weak = 'unclean.leader.election.enable=true';
    expect(await checkInternalTopics(settings, { transaction: 'a-producer' })).toEqual([]);
    await alter('__transaction_state', weak);
    const from = makeDataDir();
    const progress = new Progress({ write: () => true });
    try {
      openRegistry(path.join(from, REGISTRY_FILE)).close();
      const journal = new SqliteJournal(from);
      await journal.append([playEntry(playOf(1))]);
      journal.close();
      const engines = { kafka: settings, mongodbUrl: 'mongodb://127.0.0.1:1', clickhouseUrl: '', analyticsSkip: [] };
      const { signal } = new AbortController();
      const copied = copyToEngines({ from, engines, quarantinePerDevice: 10, progress, signal });
      await expect(copied).rejects.toThrow('the topic "__transaction_state" could lose what was settled');
      const db = openForReading(path.join(from, DATABASE_FILE));
      // Its log still waits to be settled.
      expect(db.prepare('SELECT (SELECT count(*) FROM journal) AS logs, (SELECT count(*) FROM owners) AS settled').get()).toEqual({
        logs: 1,
        settled: 0,
      });
      db.close();
    } finally {
      progress.end();
      removeDataDir(from);
      await alter('__transaction_state', 'unclean.leader.election.enable=false');
    }
  });

  it('are made and checked while one broker of three is dead, and while one hangs', async () => {
    const names = namesOf('one-away');
    const before = await prepareTopics(settings, ALL, { names });
    await kafka.kill(1);
    try {
      for (let round = 0; round < 5; round += 1) expect(await prepareTopics(settings, ALL, { names })).toEqual(before);
    } finally {
      await kafka.restart(1);
    }
    kafka.pause(1);
    try {
      expect(await prepareTopics(settings, ALL, { names })).toEqual(before);
    } finally {
      kafka.resume(1);
    }
  });
});
