/** The comparison log by log, against a model that looks at each log by itself. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { writeEntry, type Entry } from '../../../../src/audit/engines/entries.ts';
import { feedFingerprintOf, originOf } from '../../../../src/audit/engines/fingerprint.ts';
import { Collected, MAX_OF_A_LOG } from '../../../../src/audit/engines/groups.ts';
import type { Cut } from '../../../../src/audit/engines/judge-log.ts';
import type { ArchivedEntry, EngineArchive } from '../../../../src/audit/engines/ports.ts';
import { walkArchive, type WalkCounts } from '../../../../src/audit/engines/walk-archive.ts';
import { rowFingerprintOf } from '../../../../src/audit/fingerprint.ts';
import { Findings } from '../../../../src/audit/findings.ts';
import { Progress } from '../../../../src/audit/progress.ts';
import { Sample } from '../../../../src/audit/sample.ts';
import { DEFAULT_RULES } from '../../../../src/domain/limits.ts';
import type { Play } from '../../../../src/domain/play.ts';
import { writeUuid } from '../../../../src/domain/uuid.ts';
import { playOf } from '../../../support/feed-file.ts';
import { playBytes } from '../../../support/plays.ts';

const TOPIC = 'feed';
const JOURNAL = 'j';
/** Journal offsets below are settled, feed offsets below are loaded. */
const SETTLED = 1_000_000;
const LOADED = 1_000_000;

/** One log, and what each copy has of it. */
interface Model {
  readonly archived: 'whole' | 'damaged' | null;
  readonly settled: boolean;
  readonly feed: readonly { readonly altered: boolean; readonly own: boolean; readonly loaded: boolean }[];
  readonly rows: readonly { readonly altered: boolean }[];
  /** Records that the journal retains: of the same content, of another that is in quarantine, of another that is nowhere. */
  readonly journal: readonly ('same' | 'kept' | 'lost')[];
}

const model: fc.Arbitrary<Model> = fc.record({
  archived: fc.oneof(
    { weight: 6, arbitrary: fc.constant('whole' as const) },
    { weight: 1, arbitrary: fc.constantFrom('damaged' as const, null) },
  ),
  settled: fc.boolean(),
  feed: fc.array(fc.record({ altered: fc.boolean(), own: fc.boolean(), loaded: fc.boolean() }), { maxLength: 3 }),
  rows: fc.array(fc.record({ altered: fc.boolean() }), { maxLength: 2 }),
  journal: fc.array(fc.constantFrom('same' as const, 'kept' as const, 'lost' as const), { maxLength: 2 }),
});

/** What has to be found, by the words of the promises. */
function expectedOf({ archived, settled, feed, rows, journal }: Model, whole: boolean): string[] {
  if (archived === null)
    return [
      ...feed.map(() => 'owner_missing'),
      ...(feed.length === 0 && rows.length > 0 ? ['analytics_extra'] : []),
      ...journal.map(() => 'settled_lost'),
    ];
  const readable = archived === 'whole';
  return [
    ...(readable ? [] : ['record_damaged']),
    ...(feed.length === 0 && settled && whole ? ['feed_missing'] : []),
    ...(feed.length > 0 && !feed.some(({ own }) => own) ? ['owner_differs'] : []),
    ...feed.slice(1).map(() => 'record_doubled'),
    ...feed.filter(({ altered }) => readable && altered).map(() => 'feed_differs'),
    ...(rows.length === 0 && feed.some(({ loaded }) => loaded) ? ['analytics_missing'] : []),
    ...(rows.length > 1 ? ['analytics_doubled'] : []),
    ...(readable && rows.some(({ altered }) => altered) ? ['analytics_differs'] : []),
    ...journal.filter((state) => readable && state === 'lost').map(() => 'settled_lost'),
  ];
}

/** Ids whose order is not that of the numbers. */
const logIdOf = (n: number): string =>
  `${((n * 7919) % 10_007).toString(16).padStart(8, '0')}-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

const other = (n: number, place: number): string => `${(n + 1) * 10 + place}`.padStart(64, 'f');

function entriesOf(n: number, play: Play, { settled, feed, rows, journal }: Model): Entry[] {
  const own = `${JOURNAL}/0/${settled ? n : SETTLED + n}`;
  const { logId, status, billable, receivedAt, contentHash } = play;
  const common = { logId, partition: 0, status, billable, receivedAt, contentHash };
  const strange = (place: number): Uint8Array => new Uint8Array(16).fill(place + 1);
  return [
    ...feed.map(
      (one, i): Entry => ({
        ...common,
        source: 'feed',
        offset: one.loaded ? n * 3 + i : LOADED + n * 3 + i,
        fingerprint: one.altered ? strange(i) : feedFingerprintOf(play),
        origin: originOf(one.own ? own : `${JOURNAL}/7/${i}`),
      }),
    ),
    ...rows.map(
      (one, i): Entry => ({
        ...common,
        source: 'analytics',
        offset: n * 3 + i,
        fingerprint: one.altered ? strange(i) : rowFingerprintOf(play),
        origin: null,
      }),
    ),
    ...journal.map(
      (state, i): Entry => ({
        ...common,
        source: 'journal',
        offset: n * 2 + i,
        contentHash: state === 'same' ? contentHash : other(n, i),
        fingerprint: null,
        origin: null,
      }),
    ),
  ];
}

class ArchiveOf implements EngineArchive {
  readonly #entries: readonly ArchivedEntry[];
  readonly #quarantine: ReadonlySet<string>;

  constructor(entries: readonly ArchivedEntry[], quarantine: ReadonlySet<string>) {
    this.#entries = entries.toSorted((a, b) => Buffer.compare(a.logId, b.logId));
    this.#quarantine = quarantine;
  }

  async count(): Promise<number> {
    return this.#entries.length;
  }

  async entries(after: Uint8Array | null, limit: number): Promise<readonly ArchivedEntry[]> {
    return this.#entries.filter(({ logId }) => after === null || Buffer.compare(logId, after) > 0).slice(0, limit);
  }

  async quarantine(): Promise<never[]> {
    return [];
  }

  async quarantined(wanted: readonly { readonly contentHash: string; readonly code: string }[]): Promise<readonly boolean[]> {
    return wanted.map(({ contentHash, code }) => code === 'log_id_conflict' && this.#quarantine.has(contentHash));
  }
}

function archivedOf(play: Play, n: number, { archived, settled }: Model): ArchivedEntry {
  const logId = new Uint8Array(16);
  writeUuid(logId, 0, play.logId);
  const record = playBytes(play);
  if (archived === 'damaged') record[150] = (record[150] as number) ^ 1;
  const contentHash = Buffer.from(play.contentHash, 'hex');
  return { logId, position: `${JOURNAL}/0/${settled ? n : SETTLED + n}`, contentHash, receivedAt: play.receivedAt, record };
}

interface Walked {
  readonly found: string[];
  readonly counts: WalkCounts;
}

async function walk(models: readonly Model[], whole: boolean, runEntries: number): Promise<Walked> {
  const plays = models.map((_, n) => playOf(n, { logId: logIdOf(n) }));
  const collected = new Collected(runEntries);
  const kept = new Set<string>();
  const archived: ArchivedEntry[] = [];
  for (const [n, one] of models.entries()) {
    const play = plays[n] as Play;
    for (const entry of entriesOf(n, play, one)) collected.add((target, at) => writeEntry(target, at, entry));
    for (const [i, state] of one.journal.entries()) if (state === 'kept') kept.add(other(n, i));
    if (one.archived) archived.push(archivedOf(play, n, one));
  }
  const cut: Cut = {
    topic: TOPIC,
    journalId: JOURNAL,
    whole,
    settled: (position) => (Number(position.split('/')[2]) < SETTLED ? 'settled' : 'open'),
    loaded: () => LOADED,
    droppedMonths: new Set(),
  };
  const findings = new Findings();
  try {
    const counts = await walkArchive({
      archive: new ArchiveOf(archived, kept),
      groups: collected.groups(),
      cut,
      sample: new Sample('none', 1, Math.random),
      keys: { prepare: () => Promise.resolve(), keyOf: () => null },
      rules: DEFAULT_RULES,
      findings,
      progress: new Progress({ write: () => {} }),
      expected: archived.length,
    });
    return { found: findings.listed.map(({ kind, log_id }) => `${kind} ${log_id}`).sort(), counts };
  } finally {
    collected.close();
  }
}

describe('I1, I3: of each log, what the copies say about each other', () => {
  test('is what a model of one log says, whatever else there is', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(model, { maxLength: 60 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 100 }),
        async (models, whole, runEntries) => {
          const { found, counts } = await walk(models, whole, runEntries);
          expect(found).toEqual(models.flatMap((one, n) => expectedOf(one, whole).map((kind) => `${kind} ${logIdOf(n)}`)).sort());
          const present = models.filter(({ archived }) => archived !== null);
          const absent = present.filter(({ feed }) => feed.length === 0);
          expect(counts).toMatchObject({
            owners: present.length,
            in_flight: absent.filter(({ settled }) => !settled).length,
            not_retained: absent.filter(({ settled }) => settled && !whole).length,
          });
        },
      ),
      { numRuns: 200 },
    );
  });

  test('over pages and runs: thousands of good logs, and one of each fault among them', async () => {
    const good: Model = {
      archived: 'whole',
      settled: true,
      feed: [{ altered: false, own: true, loaded: true }],
      rows: [{ altered: false }],
      journal: ['same'],
    };
    const models: Model[] = Array.from({ length: 3_300 }, () => good);
    models[17] = { ...good, feed: [] };
    models[1_500] = { ...good, rows: [] };
    models[3_299] = { ...good, archived: null };
    const { found } = await walk(models, true, 500);
    expect(found.map((line) => line.replace(/ .*/, ''))).toEqual(['analytics_missing', 'feed_missing', 'owner_missing', 'settled_lost']);
  });

  test('a log a thousand times in the feed: some are named, and the number is told', async () => {
    const collected = new Collected(64);
    const play = playOf(1);
    const { logId, status, billable, receivedAt, contentHash } = play;
    for (let offset = 0; offset < 1_000; offset += 1) {
      const entry: Entry = {
        logId,
        status,
        billable,
        receivedAt,
        contentHash,
        source: 'feed',
        partition: 0,
        offset,
        fingerprint: feedFingerprintOf(play),
        origin: null,
      };
      collected.add((target, at) => writeEntry(target, at, entry));
    }
    const [group] = [...collected.groups()];
    expect([group?.counts.feed, group?.entries.feed.length]).toEqual([1_000, MAX_OF_A_LOG]);
    collected.close();
  });
});
