/** The crash tests rest on this oracle, so each way in which a service could be wrong must make it speak. */
import { expect, test } from 'vitest';
import { Ledger } from '../support/ledger.ts';
import { type Copy, ledgerDifferences, multisetDifferences } from '../support/oracle.ts';

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

test('what agrees gives no difference', () => {
  expect(ledgerDifferences(ledgerOf([log('a'), 'accepted'], [log('b'), null]), [copy('a'), copy('b')], [])).toEqual([]);
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
] as const)('a log that is %s is told', (_, told, feed, sentence) => {
  const ledger = ledgerOf(...(told as readonly [ReturnType<typeof log>, string | null][]));
  expect(ledgerDifferences(ledger, feed, []).join('\n')).toMatch(sentence);
});

test('copies are compared as multisets', () => {
  expect(multisetDifferences('feed', [copy('a'), copy('a')], 'archive', [copy('a')])[0]).toContain('1 times more in the feed');
  expect(multisetDifferences('feed', [], 'analytics', [copy('a')])[0]).toContain('1 times more in the analytics');
});
