/** I1 and I3 by `playproof audit` on the distributed engines: clean under load, and one planted fault of each kind is found and named. */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { Binary, type Document, UUID } from 'mongodb';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { LOADED_NAMES } from '../../src/analytics/schema.ts';
import type { FeedRecord } from '../../src/feed/feed-record.ts';
import { playOf, uuidOf } from '../support/feed-file.ts';
import { call } from '../support/http.ts';
import { Load } from '../support/load.ts';
import { playBytes } from '../support/plays.ts';
import { importWorld, makeWorld, play, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';
import { playproof } from '../unit/cli/run-cli.ts';
import { auditBeside, type FeedPlace, feedPlaces, foundBy, type HandMade, inClickHouse, inMongo, publishByHand } from './support/audit.ts';
import { Installation } from './support/installation.ts';
import { waitComplete } from './support/oracle.ts';

const TEST_MS = 300_000;

function flip(bytes: Buffer, place: number): void {
  bytes[place] = (bytes[place] as number) ^ 1;
}

/** Changes the archived record of a log; with its checksum made to fit again, as somebody would who knows the form. */
async function change(installation: Installation, logId: string, how: (record: Buffer) => void, fit: boolean): Promise<void> {
  await inMongo(installation, async (db) => {
    const archive = db.collection<{ _id: UUID; record: Binary }>('archive');
    const found = await archive.findOne({ _id: new UUID(logId) });
    const record = Buffer.from(found?.record.buffer ?? []);
    how(record);
    if (fit) record.writeUInt32LE(crc32(record.subarray(4)), 0);
    expect((await archive.updateOne({ _id: new UUID(logId) }, { $set: { record: new Binary(record) } })).modifiedCount).toBe(1);
  });
}

/** status, reported_status and billable in the row of a record. */
const STATUS_AT = 80 + 7 * 16 + 32 + 4 * 8 + 10;

function insertFrom({ logId }: FeedPlace, changes: string): string {
  return `INSERT INTO playproof.plays (${LOADED_NAMES}) SELECT * REPLACE (${changes}) FROM (SELECT * FROM playproof.plays WHERE log_id = '${logId}')`;
}

describe('cluster', () => {
  let installation: Installation;
  let world: World;
  let load: Load;
  let node: Service;
  let others: Service[];
  const settings = (): Record<string, string> => installation.environment('audit', 'accept,settle,analytics,query');

  beforeAll(async () => {
    installation = await Installation.start();
    world = makeWorld(4);
    load = new Load(world, 23);
    node = await installation.run('accept-1', 'accept,query');
    await importWorld(node, world);
    others = await Promise.all([installation.run('settle-1', 'settle'), installation.run('analytics-1', 'analytics')]);
  });
  afterAll(() => installation?.dispose());
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.log(installation.output());
  });

  test('an installation without a log is clean', { timeout: TEST_MS }, async () => {
    expect(await auditBeside(settings())).toMatchObject({ mode: 'engines', clean: true, counts: { plays: 0, owners: 0 } });
    // What the command asks of an embedded service, it asks ClickHouse for here.
    expect(await call(node, '/api/v1/audit/rows')).toMatchObject({ status: 501, json: { code: 'not_implemented' } });
  });

  test('while logs come in, are settled and loaded, nothing is mistaken for a fault', { timeout: TEST_MS }, async () => {
    load.start(3, () => node.url);
    for (let i = 0; i < 3; i += 1) {
      const { clean, findings } = await auditBeside(settings(), '--signatures', 'all');
      expect([clean, findings]).toEqual([true, []]);
    }
    await load.stop();
    await load.drain(node.url);
    await waitComplete(node, load.ledger.lastAcknowledged);
    const { clean, counts, findings } = await auditBeside(settings(), '--signatures', 'all');
    expect([clean, findings]).toEqual([true, []]);
    expect(counts.plays).toBeGreaterThan(100);
    const { plays } = counts;
    expect(counts).toMatchObject({ owners: plays, analytics_rows: plays, proven: plays, waiting: 0, in_flight: 0, not_retained: 0 });
    expect(counts.quarantine).toBeGreaterThan(0);
  });

  test('analytics that is behind is a lag, and it says up to where', { timeout: TEST_MS }, async () => {
    await (others[1] as Service).stop();
    const { counts: before } = await auditBeside(settings(), '--signatures', 'none');
    await load.sendGood(node.url, 50);
    let after = await auditBeside(settings(), '--signatures', 'none');
    for (let i = 0; i < 20 && after.counts.plays < before.plays + 50; i += 1) {
      expect(after.findings).toEqual([]);
      await sleep(500);
      after = await auditBeside(settings(), '--signatures', 'none');
    }
    const { clean, counts, positions } = after;
    expect([clean, counts.plays, counts.analytics_rows]).toEqual([true, before.plays + 50, before.plays]);
    expect(positions.feed.partitions.some(({ loaded, end }) => loaded < end)).toBe(true);
    others[1] = await installation.run('analytics-1', 'analytics');
    await waitComplete(node, load.ledger.lastAcknowledged);
  });

  test('a planted fault of each kind is found and named', { timeout: TEST_MS }, async () => {
    // A settler removes settled records a minute after it began at the earliest: what it settles now is still there in the end.
    await (others[0] as Service).stop();
    others[0] = await installation.run('settle-1', 'settle');
    await load.sendGood(node.url, 20);
    await waitComplete(node, load.ledger.lastAcknowledged);
    for (const service of [node, ...others]) await service.stop();
    const feed = await feedPlaces(installation);
    const { positions } = await auditBeside(settings(), '--signatures', 'none');
    const lows = new Map(positions.journal.partitions.map(({ partition, low }) => [String(partition), low]));
    const isRetained = ({ journal: place }: FeedPlace): boolean => {
      const [, partition = '', offset] = place.split('/');
      return Number(offset) >= (lows.get(partition) ?? Number.POSITIVE_INFINITY);
    };
    const completed = feed.filter(({ value }) => (JSON.parse(value) as FeedRecord).status === 'COMPLETED');
    const partial = feed.find(({ value }) => {
      const { status, reported_status: claim } = JSON.parse(value) as FeedRecord;
      return status === 'PARTIAL' && claim === 'COMPLETED';
    }) as FeedPlace;
    const take = (): FeedPlace => completed.pop() as FeedPlace;
    const expected: string[] = [];
    const found = (kind: string, logId: string | null, position: string | number | null): void => {
      expected.push([kind, logId ?? '-', position ?? '-'].join(' '));
    };

    // The archive.
    const removed = completed.splice(completed.findLastIndex(isRetained), 1)[0] as FeedPlace;
    expect(isRetained(removed)).toBe(true);
    const [otherHash, flipped, forged] = [take(), take(), take()];
    const quarantined = await inMongo(installation, async (db) => {
      const archive = db.collection<Document & { _id: UUID }>('archive');
      await archive.deleteOne({ _id: new UUID(removed.logId) });
      await archive.updateOne({ _id: new UUID(otherHash.logId) }, { $set: { content_hash: new Binary(Buffer.alloc(32, 7)) } });
      const [journalId] = removed.journal.split('/') as [string];
      const stray = playOf(5, { logId: uuidOf(9, 1) });
      await archive.insertOne({
        _id: new UUID(stray.logId),
        content_hash: new Binary(Buffer.from(stray.contentHash, 'hex')),
        position: `${journalId}/${removed.partition}/0`,
        received_at: new Date(stray.receivedAt),
        record: new Binary(playBytes(stray)),
      });
      found('feed_missing', stray.logId, `${journalId}/${removed.partition}/0`);
      found('signature_invalid', stray.logId, `${journalId}/${removed.partition}/0`);
      const quarantine = db.collection<{ seq: number; record: Binary; code: string }>('quarantine');
      const [kept] = await quarantine.find({ code: 'invalid_signature' }).limit(1).toArray();
      const record = Buffer.from(kept?.record.buffer ?? []);
      const logId = new UUID(record.subarray(24, 40)).toString();
      flip(record, 100);
      await quarantine.updateOne({ seq: kept?.seq ?? -1 }, { $set: { record: new Binary(record) } });
      return { logId, seq: kept?.seq ?? -1 };
    });
    found('quarantine_damaged', quarantined.logId, quarantined.seq);
    found('owner_missing', removed.logId, removed.place);
    found('settled_lost', removed.logId, removed.journal);
    found('owner_differs', otherHash.logId, otherHash.journal);
    await change(installation, flipped.logId, (record) => flip(record, record.length - 9), false);
    found('record_damaged', flipped.logId, flipped.journal);
    await change(installation, forged.logId, (record) => flip(record, record.length - 9), true);
    found('signature_invalid', forged.logId, forged.journal);
    found('feed_differs', forged.logId, forged.place);
    const verdict = partial;
    await change(
      installation,
      verdict.logId,
      (record) => {
        expect([...record.subarray(STATUS_AT, STATUS_AT + 3)]).toEqual([1, 0, 0]);
        record[STATUS_AT] = 0;
        record[STATUS_AT + 2] = 1;
      },
      true,
    );
    for (const kind of ['verdict_differs', 'verdict_differs']) found(kind, verdict.logId, verdict.journal);
    for (const kind of ['feed_differs', 'analytics_differs']) found(kind, verdict.logId, verdict.place);

    // The feed.
    const [doubled, altered, ahead] = [take(), take(), take()];
    const stranger = uuidOf(9, 2);
    const unknown: HandMade = { ...doubled, value: doubled.value.replaceAll(doubled.logId, stranger) };
    const handMade: HandMade[] = [
      doubled,
      { ...altered, value: altered.value.replace('"billable":true', '"billable":false') },
      unknown,
      { ...doubled, value: 'no JSON' },
      { ...ahead, journal: ahead.journal.replace(/\d+$/, '99999999') },
    ];
    const [again, changed, strange, junk, later] = (await publishByHand(installation, handMade)) as [
      string,
      string,
      string,
      string,
      string,
    ];
    found('record_doubled', doubled.logId, again);
    for (const kind of ['record_doubled', 'feed_differs']) found(kind, altered.logId, changed);
    found('owner_missing', stranger, strange);
    found('record_damaged', null, junk);
    found('record_doubled', ahead.logId, later);

    // Analytics.
    const [gone, twice, status, campaign, harmless] = [take(), take(), take(), take(), take()];
    await inClickHouse(
      installation,
      `ALTER TABLE playproof.plays DELETE WHERE log_id = '${gone.logId}' SETTINGS mutations_sync = 2`,
      insertFrom(twice, 'ended_at + 1 AS ended_at'),
      insertFrom(status, `CAST('ERROR', 'Enum8(\\'COMPLETED\\' = 0, \\'PARTIAL\\' = 1, \\'SKIPPED\\' = 2, \\'ERROR\\' = 3)') AS status`),
      insertFrom(campaign, `toUUID('${uuidOf(9, 3)}') AS campaign_id`),
      // The same place loaded twice, as after a crash: it counts once.
      insertFrom(harmless, 'feed_offset AS feed_offset'),
      insertFrom(harmless, `toUUID('${uuidOf(9, 4)}') AS log_id`),
    );
    found('analytics_missing', gone.logId, gone.place);
    for (const kind of ['analytics_doubled', 'analytics_differs']) found(kind, twice.logId, twice.place);
    found('analytics_differs', status.logId, status.place);
    found('analytics_differs', campaign.logId, campaign.place);
    found('analytics_extra', uuidOf(9, 4), harmless.place);

    const audited = await auditBeside(settings(), '--signatures', 'all');
    const { journal } = audited.positions;
    const [, aheadOf] = ahead.journal.split('/');
    const next = journal.partitions.find((range) => range.partition === Number(aheadOf))?.settled ?? -1;
    found('position_wrong', null, `${journal.journal_id}/${aheadOf}/${next}`);
    expect(foundBy(audited)).toEqual(expected.sort());
    // Whoever dropped the month from ClickHouse says so, and what is not there is no fault then.
    const month = new Date((JSON.parse(gone.value) as FeedRecord).ended_at).toISOString().slice(0, 7).replace('-', '');
    const dropped = await auditBeside(settings(), '--signatures', 'none', '--dropped-months', `202001,${month}`);
    expect(dropped.found).toMatchObject({ analytics_doubled: 1, owner_missing: 2 });
    expect(dropped.found).not.toHaveProperty('analytics_missing');
    const text = await playproof(['audit'], { env: settings() });
    expect(text.code).toBe(1);
    expect(text.stdout).toMatch(/^FAULT {2}\w+, log /m);
    expect(text.stdout).toMatch(/NOT clean/);
  });

  test('engines that are away, options of another profile: a sentence, exit code 3 and nothing on stdout', {
    timeout: TEST_MS,
  }, async () => {
    const away = await playproof(['audit', '--json'], { env: { ...settings(), PLAYPROOF_KAFKA_BROKERS: '127.0.0.1:1' } });
    expect(away).toMatchObject({ code: 3, stdout: '', stderr: expect.stringMatching(/^playproof: .*127\.0\.0\.1:1/) as string });
    const url = await playproof(['audit', '--url', 'http://127.0.0.1:1'], { env: settings() });
    expect(url).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('leave out --url and --token') as string });
  });
});

describe('edge', () => {
  const directory = makeDataDir();
  let installation: Installation;
  let world: World;
  let load: Load;
  let service: Service;
  const settings = (roles = 'accept,settle,analytics,query'): Record<string, string> => ({
    ...installation.environment('edge', roles),
    PLAYPROOF_PROFILE: 'edge',
    PLAYPROOF_DATA_DIR: path.join(directory, 'data'),
  });

  beforeAll(async () => {
    installation = await Installation.start();
    world = makeWorld(2);
    load = new Load(world, 29);
    service = await Service.start({ dataDir: directory, env: settings() });
    await importWorld(service, world);
  });
  afterAll(async () => {
    await service?.kill();
    await installation?.dispose();
    removeDataDir(directory);
  });
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.log(service.output.slice(-3_000));
  });

  test('beside a running box under load nothing is mistaken for a fault', { timeout: TEST_MS }, async () => {
    load.start(3, () => service.url);
    for (let i = 0; i < 3; i += 1) {
      const { clean, findings } = await auditBeside(settings(), '--signatures', 'all');
      expect([clean, findings]).toEqual([true, []]);
    }
    await load.stop();
    await load.drain(service.url);
    await load.sendGood(service.url, 20);
    await waitComplete(service, load.ledger.lastAcknowledged);
    const { clean, counts, findings } = await auditBeside(settings(), '--signatures', 'all');
    expect([clean, findings]).toEqual([true, []]);
    const { plays } = counts;
    expect(plays).toBeGreaterThan(50);
    expect(counts).toMatchObject({ owners: plays, analytics_rows: plays, proven: plays, waiting: 0, in_flight: 0 });
    // The last settled record stays, to prove at the next start that this is the journal that was read.
    expect(counts.retained).toBeGreaterThan(0);
  });

  test('planted faults of the box are found and named', { timeout: TEST_MS }, async () => {
    await service.stop();
    // Nobody settles: what comes now waits.
    service = await Service.start({ dataDir: directory, env: settings('accept,query') });
    await load.send(
      service.url,
      Array.from({ length: 10 }, () => play(world)),
    );
    await service.stop();
    const waiting = await auditBeside(settings());
    expect([waiting.clean, waiting.counts.waiting]).toEqual([true, 10]);

    const { journal } = waiting.positions;
    const end = journal.partitions[0]?.end ?? 0;
    const last = (await feedPlaces(installation)).find(({ journal: from }) => from === `${journal.journal_id}/0/${end - 11}`) as FeedPlace;
    expect(
      (await inMongo(installation, (db) => db.collection<{ _id: UUID }>('archive').deleteOne({ _id: new UUID(last.logId) }))).deletedCount,
    ).toBe(1);
    const db = new DatabaseSync(path.join(directory, 'data', 'playproof.db'));
    db.prepare('DELETE FROM journal WHERE seq = ?').run(end - 5);
    const row = db.prepare('SELECT record FROM journal WHERE seq = ?').get(end - 3) as { record: Uint8Array };
    const record = Buffer.from(row.record);
    flip(record, 200);
    db.prepare('UPDATE journal SET record = ? WHERE seq = ?').run(record, end - 3);
    db.prepare('DELETE FROM journal WHERE seq = ?').run(end - 1);
    db.prepare("UPDATE positions SET seq = ? WHERE name = 'end'").run(end - 2);
    db.close();
    const audited = await auditBeside(settings(), '--signatures', 'none');
    expect(foundBy(audited)).toEqual(
      [
        `owner_missing ${last.logId} ${last.place}`,
        `settled_lost ${last.logId} ${last.journal}`,
        `journal_gap - ${journal.journal_id}/0/${end - 5}`,
        `record_damaged - ${journal.journal_id}/0/${end - 3}`,
        // The mark beside the journal remembers the record that is gone.
        'position_wrong - -',
      ].sort(),
    );
  });

  test('where there is no journal: a sentence', { timeout: TEST_MS }, async () => {
    const { code, stderr } = await playproof(['audit'], { env: { ...settings(), PLAYPROOF_DATA_DIR: path.join(directory, 'nowhere') } });
    expect([code, stderr]).toEqual([3, expect.stringMatching(/^playproof: there is no .*playproof\.db/)]);
  });
});
