/**
 * How much memory `playproof audit` takes as installations grow: `node test/engines/audit-memory.ts [--profile embedded|cluster]
 * [--plays 100000,300000]`. Plays are made below the HTTP layer: they pass the real journal, settling and loading, and nobody signed them,
 * so the audit runs with `--signatures none`. Prints a line of JSON for each size: peak resident memory of the command and its children.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createClient } from '@clickhouse/client';
import type { EngineAuditResult } from '../../src/audit/engines/audit.ts';
import type { Play } from '../../src/domain/play.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { KafkaJournal } from '../../src/journal/kafka-journal.ts';
import { SqliteJournal } from '../../src/journal/sqlite-journal.ts';
import { loadKafkaClient } from '../../src/kafka/client.ts';
import { connectionConfig } from '../../src/kafka/settings.ts';
import { prepareTopics } from '../../src/kafka/topics.ts';
import { beginKafkaJournal, kafkaTopics } from '../../src/settle/kafka-begin.ts';
import { SqliteSettlement } from '../../src/settle/sqlite-settlement.ts';
import { playOf } from '../support/feed-file.ts';
import { playEntry } from '../support/journal-entries.ts';
import { waitComplete } from '../support/oracle.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';
import { LAUNCHER } from '../unit/cli/run-cli.ts';
import { Installation } from './support/installation.ts';
import { plainSettings } from './support/kafka-settings.ts';

const BATCH = 5_000;
const LOOK_MS = 100;
/** As large as a real log, and half of the ids out of order. */
const SIGNED = Buffer.from(JSON.stringify({ location: { lat: 10.7725, lng: 106.698 }, filler: 'x'.repeat(420) }));

function playNumber(n: number): Play {
  const scattered = Math.imul(n, 0x9e3779b1) >>> 0;
  return playOf(n, {
    logId: `${scattered.toString(16).padStart(8, '0')}-0000-4000-8000-${n.toString(16).padStart(12, '0')}`,
    canonical: SIGNED,
  });
}

async function append(journal: Journal, from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += BATCH) {
    await journal.append(Array.from({ length: Math.min(BATCH, to - first) }, (_, i) => playEntry(playNumber(first + i))));
  }
}

interface Measured {
  readonly plays: number;
  readonly seconds: number;
  /** Of the command, MB. */
  readonly command: number;
  /** Of the command's children together, MB: embedded analytics. */
  readonly children: number;
}

/** Runs the command and watches it. @throws Error when it is not clean. */
async function measure(env: Record<string, string>): Promise<Measured> {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PLAYPROOF_')));
  const args = [LAUNCHER, 'audit', '--json', '--signatures', 'none'];
  const child = spawn(process.execPath, args, { env: { ...inherited, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const peaks = new Map<number, number>();
  while (child.exitCode === null && child.signalCode === null) {
    for (const pid of [child.pid ?? 0, ...childrenOf(child.pid ?? 0)]) peaks.set(pid, Math.max(peaks.get(pid) ?? 0, peakOf(pid)));
    await sleep(LOOK_MS);
  }
  const code = await ended;
  if (stdout === '') throw new Error(`the audit could not be made (${code})`);
  const { clean, counts, findings, seconds } = JSON.parse(stdout) as EngineAuditResult & { seconds: number };
  if (!clean) throw new Error(`the audit is not clean: ${JSON.stringify(findings.slice(0, 5))}`);
  const command = peaks.get(child.pid ?? 0) ?? 0;
  const all = [...peaks.values()].reduce((sum, peak) => sum + peak, 0);
  return { plays: counts.plays, seconds, command, children: all - command };
}

/** The most that the process ever had, MB; 0 when it is gone. */
function peakOf(pid: number): number {
  try {
    return Math.round(Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);
  } catch {
    return 0;
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

async function embedded(sizes: readonly number[]): Promise<void> {
  const dataDir = makeDataDir();
  const data = path.join(dataDir, 'data');
  mkdirSync(data);
  try {
    let made = 0;
    for (const size of sizes) {
      const journal = new SqliteJournal(data);
      const settlement = new SqliteSettlement(journal.db, {
        journalId: journal.journalId,
        end: () => journal.end,
        quarantinePerDevice: 100,
        onPoison: (position) => process.stderr.write(`${position} is damaged\n`),
        now: Date.now,
      });
      await append(journal, made, size);
      while ((await settlement.step(BATCH)).taken > 0);
      journal.close();
      made = size;
      const service = await Service.start({ dataDir });
      await waitComplete(service);
      await service.stop();
      console.log(JSON.stringify({ profile: 'embedded', ...(await measure({ PLAYPROOF_DATA_DIR: data })) }));
    }
  } finally {
    removeDataDir(dataDir);
  }
}

async function cluster(sizes: readonly number[]): Promise<void> {
  const installation = await Installation.start();
  try {
    const settings = { ...plainSettings(installation.kafka.bootstrap), partitions: 4, allowWeak: true };
    const client = await loadKafkaClient();
    const config = connectionConfig(settings);
    const topics = kafkaTopics(await prepareTopics(settings, ['journal', 'feed', 'positions']));
    await beginKafkaJournal(client, config, topics);
    const { journal: topic, journalId } = topics;
    const journal = await KafkaJournal.open({
      client,
      config,
      topic,
      journalId,
      onWarning: (message) => process.stderr.write(`${message}\n`),
    });
    await installation.run('settle-1', 'settle,analytics');
    let made = 0;
    for (const size of sizes) {
      await append(journal, made, size);
      made = size;
      await loaded(installation.clickHouse.url, size);
      console.log(
        JSON.stringify({ profile: 'cluster', ...(await measure(installation.environment('audit', 'accept,settle,analytics,query'))) }),
      );
    }
    journal.close();
  } catch (error) {
    console.error(installation.output());
    throw error;
  } finally {
    await installation.dispose();
  }
}

async function loaded(url: string, plays: number): Promise<void> {
  const client = createClient({ url });
  for (;;) {
    const answer = await client.query({ query: 'SELECT toUInt32(uniqExact(log_id)) AS n FROM playproof.plays', format: 'JSONEachRow' });
    const [row] = await answer.json<{ n: number }>();
    if ((row?.n ?? 0) >= plays) break;
    await sleep(1_000);
  }
  await client.close();
}

const { values } = parseArgs({
  options: { profile: { type: 'string', default: 'cluster' }, plays: { type: 'string', default: '100000,300000' } },
});
const sizes = values.plays.split(',').map(Number);
if (!sizes.every((size, i) => Number.isInteger(size) && size > (sizes[i - 1] ?? 0)))
  throw new RangeError('--plays takes growing whole numbers');
await (values.profile === 'embedded' ? embedded(sizes) : cluster(sizes));
process.exit(0);
