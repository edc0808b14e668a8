/** The crash tests rest on this oracle, so each way in which a service could be wrong must make it speak. */
import { expect, test } from 'vitest';
import { Ledger } from '../support/ledger.ts';
import { type Copy, type CopyName, multisetDifferences, Reckoning } from '../support/reckoning.ts';

const BILLABLE = { status: 'COMPLETED', billable: true };
const verdict = 'COMPLETED billable 2026-01-01T00:00:00.000Z';
const log = (logId: string, hash = 'h', provable = true) => ({ logId, hash, provable, body: '{}' });
const copy = (logId: string, hash = 'h'): Copy => ({ logId, hash, verdict });

function ledgerOf(...told: readonly [ReturnType<typeof log>, string | null][]): Ledger {
  const ledger = new Ledger();
  for (const [sent, outcome] of told) {
    ledger.sending(sent);
    if (outcome !== null) ledger.heard(sent, outcome, outcome === 'accepted' || outcome === 'duplicate' ? BILLABLE : null);
  }
  return ledger;
}

/** What is told where archive and analytics hold the same as the feed, unless others are given. */
function reckon(
  ledger: Ledger,
  feed: readonly Copy[],
  { archive = feed, analytics = feed }: Partial<Record<CopyName, readonly Copy[]>> = {},
) {
  const reckoning = new Reckoning(ledger);
  for (const [name, copies] of Object.entries({ feed, archive, analytics })) {
    for (const one of copies) reckoning.count(name as CopyName, one);
  }
  return reckoning.differences();
}

test('what agrees gives no difference', () => {
  expect(reckon(ledgerOf([log('a'), 'accepted'], [log('b'), null]), [copy('a'), copy('b')])).toEqual([]);
  expect(multisetDifferences('feed', [copy('a')], 'archive', [copy('a')])).toEqual([]);
});

test.each([
  ['lost', [[log('a'), 'duplicate']], [], /acknowledged and is not in the feed/],
  ['twice', [[log('a'), 'accepted']], [copy('a'), copy('a')], /in the feed twice/],
  ['never sent', [], [copy('a')], /nobody sent it/],
  ['unproven', [[log('a', 'h', false), null]], [copy('a')], /without a valid signature/],
  ['another verdict', [[log('a'), 'accepted']], [{ ...copy('a'), verdict: 'PARTIAL not billable x' }], /was told as/],
  ['dropped refusal', [[log('a'), 'too_old']], [], /refused as too_old and is not in quarantine/],
  [
    'dropped conflict',
    [
      [log('a'), 'accepted'],
      [log('a', 'g'), 'accepted'],
    ],
    [copy('a')],
    /the conflict is not in quarantine/,
  ],
] as const)('a log that is %s is told', (_, sent, feed, sentence) => {
  const ledger = ledgerOf(...(sent as readonly [ReturnType<typeof log>, string | null][]));
  expect(reckon(ledger, feed).join('\n')).toMatch(sentence);
});

test('copies are compared as multisets', () => {
  const ledger = ledgerOf([log('a'), 'accepted']);
  const other = { ...copy('a'), verdict: 'COMPLETED billable 2026-01-01T00:00:00.001Z' };
  expect(reckon(ledger, [copy('a')], { archive: [] })).toEqual([`a h ${verdict} is 1 times more in the feed than in the archive`]);
  expect(reckon(ledger, [copy('a')], { analytics: [copy('a'), copy('a')] })).toEqual([
    `a h ${verdict} is 1 times more in the analytics than in the feed`,
  ]);
  expect(reckon(ledger, [copy('a')], { archive: [other] })).toEqual([
    `a h ${other.verdict} is 1 times more in the archive than in the feed`,
    `a h ${verdict} is 1 times more in the feed than in the archive`,
  ]);
  expect(reckon(ledger, [copy('a')], { analytics: [copy('a'), copy('b')] })).toEqual([
    `b h ${verdict} is 1 times more in the analytics than in the feed`,
  ]);
  expect(multisetDifferences('feed', [copy('a'), copy('a')], 'archive', [copy('a')])[0]).toContain('1 times more in the feed');
  expect(multisetDifferences('feed', [], 'analytics', [copy('a')])[0]).toContain('1 times more in the analytics');
});

test('a refusal and a conflict that are in quarantine are no difference', () => {
  const ledger = ledgerOf([log('a'), 'accepted'], [log('a', 'g'), 'accepted'], [log('b'), 'too_old']);
  const reckoning = new Reckoning(ledger);
  for (const name of ['feed', 'archive', 'analytics'] as const) reckoning.count(name, copy('a'));
  reckoning.quarantined({ log_id: 'a', content_hash: 'g', code: 'log_id_conflict' });
  reckoning.quarantined({ log_id: 'b', content_hash: 'h', code: 'too_old' });
  expect(reckoning.differences()).toEqual([]);
});

test('many differences are counted, and the first are told', () => {
  const sent = Array.from({ length: 30 }, (_, i) => [log(`id-${i}`), 'accepted'] as [ReturnType<typeof log>, string]);
  const differences = reckon(ledgerOf(...sent), []);
  expect(differences).toHaveLength(21);
  expect(differences.at(-1)).toBe('and 10 more differences');
});
