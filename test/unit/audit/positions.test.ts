import { describe, expect, test } from 'vitest';
import { checkPositions } from '../../../src/audit/check-positions.ts';
import { Findings } from '../../../src/audit/findings.ts';
import type { JournalPositions, LoadedFeed } from '../../../src/audit/ports.ts';
import type { MarkState } from '../../../src/journal/mark.ts';

const at = (seq: number, journalId = 'j') => ({ journalId, seq });
const MARK: MarkState = { journalId: 'j', end: 10, clean: true };
const LOADED: LoadedFeed[] = [{ feedId: 'j', position: 8 }];

function check(journal: JournalPositions, mark: MarkState | null = MARK, feeds = LOADED) {
  const findings = new Findings();
  const positions = checkPositions(journal, mark, feeds, findings);
  return { positions, details: findings.listed.map(({ kind, detail }) => `${kind}: ${detail}`) };
}

test('positions that fit: the feed within the journal, analytics within the feed', () => {
  expect(check({ end: at(10), settle: at(9) })).toEqual({ positions: { journalId: 'j', end: 10, settle: 9, loaded: 8 }, details: [] });
  expect(check({ end: at(10), settle: at(10) }, null, [])).toEqual({
    positions: { journalId: 'j', end: 10, settle: 10, loaded: 0 },
    details: [],
  });
});

describe('a position that does not fit is told', () => {
  test.each<readonly [what: string, journal: JournalPositions, mark: MarkState | null, feeds: LoadedFeed[], told: RegExp]>([
    ['a read position of another journal', { end: at(10), settle: at(9, 'k') }, MARK, LOADED, /its read position is of k/],
    ['one behind the end', { end: at(10), settle: at(11) }, MARK, LOADED, /11 lies outside the journal, which ends at 10/],
    ['one before the beginning', { end: at(10), settle: at(-1) }, MARK, [], /-1 lies outside/],
    ['a mark of another journal', { end: at(10), settle: at(9) }, { ...MARK, journalId: 'k' }, LOADED, /the mark belongs to journal k/],
    ['a journal that lost its end', { end: at(9), settle: at(9) }, MARK, LOADED, /durable up to position 10 and ends at 9/],
    ['analytics ahead of the feed', { end: at(10), settle: at(7) }, MARK, LOADED, /loaded up to 8, the feed ends at 7/],
    ['analytics of another feed', { end: at(10), settle: at(9) }, MARK, [{ feedId: 'k', position: 3 }], /another feed, k, up to 3/],
  ])('%s', (_what, journal, mark, feeds, told) => {
    expect(check(journal, mark, feeds).details).toEqual([expect.stringMatching(told)]);
  });

  test('a missing one ends the audit', () => {
    for (const journal of [
      { end: null, settle: at(1) },
      { end: at(1), settle: null },
    ]) {
      expect(check(journal)).toEqual({ positions: null, details: [expect.stringMatching(/^position_wrong: the position .* is missing/)] });
    }
  });
});

test('findings are counted without end and listed up to a bound', () => {
  const findings = new Findings();
  for (let i = 0; i < 5_000; i += 1) findings.add('journal_gap', { position: i }, 'gone');
  expect([findings.total, findings.byKind.get('journal_gap'), findings.listed.length]).toEqual([5_000, 5_000, 1_000]);
});
