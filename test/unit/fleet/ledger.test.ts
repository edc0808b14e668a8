import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareReport, type ReportRow } from '../../../src/demo/compare.ts';
import { columns, comparisonLines, number, outcomeLines, plain } from '../../../src/demo/render.ts';
import { type Intent, Ledger } from '../../../src/fleet/ledger.ts';

const BILLABLE = { outcome: 'accepted', status: 'COMPLETED', billable: true } as const;
const PARTIAL = { outcome: 'accepted', status: 'PARTIAL', billable: false } as const;
let made = 0;

function intent(more: Partial<Intent> = {}): Intent {
  made += 1;
  return {
    logId: `log-${made}`,
    contentHash: `hash-${made}`,
    deviceId: 'device',
    campaignId: 'c1',
    behaviour: 'normal',
    expected: BILLABLE,
    durationActualMs: 15_000,
    ...more,
  };
}

const row = (more: Partial<ReportRow> = {}): ReportRow => ({
  campaign_id: 'c1',
  plays: 2,
  billable: 1,
  completed: 1,
  partial: 1,
  skipped: 0,
  error: 0,
  billable_seconds: 15,
  ...more,
});

/** One billable and one partial play, acknowledged. */
function twoPlays(): Ledger {
  const ledger = new Ledger();
  ledger.answered(ledger.intend(intent()), { ...BILLABLE, receivedAt: '2026-11-20T03:00:00.500Z' });
  ledger.answered(ledger.intend(intent({ behaviour: 'cut_short', expected: PARTIAL })), PARTIAL);
  return ledger;
}

describe('the ledger', () => {
  it('books each acknowledged log once, however often it is answered', () => {
    const ledger = twoPlays();
    const entry = ledger.intend(intent());
    ledger.answered(entry, { outcome: 'later', code: 'unavailable' });
    ledger.answered(entry, { ...BILLABLE, outcome: 'duplicate' });
    ledger.answered(entry, BILLABLE);
    ledger.repeated(entry, { ...BILLABLE, outcome: 'duplicate' });
    expect(ledger.counts()).toMatchObject({ sent: 4, accepted: 3, billable: 2, duplicates: 1, undecided: 0, unexpected: 0 });
    expect(ledger.expectedReport().get('c1')).toEqual({
      plays: 3,
      billable: 2,
      completed: 2,
      partial: 1,
      skipped: 0,
      error: 0,
      billableMs: 30_000,
    });
    expect(ledger.lastReceivedAt).toBe(Date.parse('2026-11-20T03:00:00.500Z'));
  });

  it('notices every answer that is not as expected', () => {
    const ledger = new Ledger();
    const forged = { behaviour: 'tampered', expected: { outcome: 'refused', code: 'invalid_signature' } } as const;
    ledger.answered(ledger.intend(intent(forged)), BILLABLE);
    ledger.answered(ledger.intend(intent(forged)), { outcome: 'refused', code: 'too_old' });
    ledger.answered(ledger.intend(intent()), { outcome: 'refused', code: 'too_old' });
    ledger.answered(ledger.intend(intent()), { ...BILLABLE, billable: false });
    ledger.answered(ledger.intend(intent()), { outcome: 'later', code: 'unknown_device' });
    expect(ledger.counts().unexpected).toBe(5);
    expect(ledger.unexpected()[0]).toMatch(/tampered.*expected invalid_signature, told accepted COMPLETED/);
    ledger.answered(ledger.intend(intent(forged)), { outcome: 'refused', code: 'invalid_signature' });
    ledger.answered(ledger.intend(intent({ behaviour: 'late_campaign' })), { outcome: 'later', code: 'unknown_campaign' });
    expect(ledger.counts()).toMatchObject({ unexpected: 5, undecided: 2, refusedByCode: { invalid_signature: 1, too_old: 2 } });
  });

  it('takes "later" as the last word only where nothing more is sent, and never an unavailable service', () => {
    const ledger = new Ledger();
    const stranger = { behaviour: 'strange_device', expected: { outcome: 'refused', code: 'unknown_device' } } as const;
    ledger.answered(ledger.intend(intent(stranger)), { outcome: 'later', code: 'unknown_device' }, true);
    ledger.answered(ledger.intend(intent(stranger)), { outcome: 'later', code: 'unavailable' }, true);
    ledger.answered(ledger.intend(intent(stranger)), { outcome: 'later' }, true);
    expect(ledger.counts()).toMatchObject({ refusedByCode: { unknown_device: 1 }, undecided: 2, unexpected: 0 });
  });

  it('never counts a conflict as a play, also where the service takes it in for now', () => {
    const ledger = twoPlays();
    const conflict = { logId: 'log-x', behaviour: 'conflict', expected: { outcome: 'refused', code: 'log_id_conflict' } } as const;
    const first = ledger.intend(intent({ logId: 'log-x' }));
    ledger.answered(first, BILLABLE);
    ledger.answered(ledger.intend(intent(conflict)), BILLABLE, true);
    expect(ledger.find('log-x')).toBe(first);
    expect(ledger.counts()).toMatchObject({ conflictsTaken: 1, accepted: 3, unexpected: 0 });
    expect(ledger.expectedReport().get('c1')?.plays).toBe(3);
  });

  it('forgets decided entries beyond its bound and keeps their totals', () => {
    const ledger = new Ledger({ keep: 100 });
    const open = ledger.intend(intent());
    for (let i = 0; i < 1000; i += 1) ledger.answered(ledger.intend(intent()), BILLABLE);
    expect([...ledger.entries()].length).toBeLessThanOrEqual(111);
    expect(ledger.find(open.logId)).toBe(open);
    expect(ledger.expectedReport().get('c1')?.plays).toBe(1000);
  });

  it('writes its file before the send and after each answer', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'playproof-ledger-'));
    const file = path.join(directory, 'ledger.ndjson');
    const ledger = new Ledger({ file });
    const entry = ledger.intend(intent({ logId: 'a', contentHash: 'h' }));
    const lines = async (): Promise<unknown[]> =>
      (await readFile(file, 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
    expect(await lines()).toMatchObject([{ intend: { logId: 'a', contentHash: 'h', expected: BILLABLE } }]);
    ledger.answered(entry, BILLABLE);
    ledger.repeated(entry, { ...BILLABLE, outcome: 'duplicate' });
    ledger.close();
    expect((await lines()).slice(1)).toMatchObject([
      { answer: { log_id: 'a', content_hash: 'h', outcome: 'accepted' } },
      { repeat: { log_id: 'a', outcome: 'duplicate' } },
    ]);
    await rm(directory, { recursive: true });
  });
});

describe('the comparison', () => {
  const names = new Map([['c1', 'Campaign one']]);

  it('is equal when every column is', () => {
    expect(compareReport([row()], twoPlays(), names).equal).toBe(true);
  });

  it.each([
    ['a play too many', [row({ plays: 3 })]],
    ['a play too few', [row({ plays: 1 })]],
    ['a partial play that is billed', [row({ billable: 2 })]],
    ['another status', [row({ partial: 0, skipped: 1 })]],
    ['a millisecond more', [row({ billable_seconds: 15.001 })]],
    ['a campaign that nobody plays', [row(), row({ campaign_id: 'c2' })]],
    ['no rows', []],
  ])('notices %s', (_, rows) => {
    const comparison = compareReport(rows, twoPlays(), names);
    expect(comparison.equal).toBe(false);
    expect(comparisonLines(comparison, plain).join('\n')).toContain('NOT EQUAL');
  });

  it('leaves room for what is undecided, and for no more', () => {
    const ledger = twoPlays();
    ledger.intend(intent());
    const more = row({ plays: 3, billable: 2, completed: 2, billable_seconds: 30 });
    expect(compareReport([row()], ledger, names).equal).toBe(true);
    expect(compareReport([more], ledger, names).equal).toBe(true);
    expect(compareReport([{ ...more, plays: 4 }], ledger, names).equal).toBe(false);
  });
});

describe('the tables', () => {
  it('line up, also with letters that have marks', () => {
    expect(
      columns([
        ['Mì Làng', '1'],
        ['Trà', '1 000'],
      ]),
    ).toEqual(['  Mì Làng      1', '  Trà      1 000']);
    expect(number(1_234_567)).toBe('1 234 567');
  });

  it('give each reason a sentence', () => {
    const counts = {
      ...twoPlays().counts(),
      refusedByCode: { too_old: 2, invalid_signature: 3 },
      elapsedMs: 0,
      queued: 0,
      offline: 0,
      clockSkews: 0,
    };
    const lines = outcomeLines(counts, plain);
    expect(lines.find((line) => line.includes('invalid_signature'))).toMatch(/3 {3}The signature does not fit/);
    expect(lines.findIndex((line) => line.includes('invalid_signature'))).toBeLessThan(lines.findIndex((line) => line.includes('too_old')));
  });
});
