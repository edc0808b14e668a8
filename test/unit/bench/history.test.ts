import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { HISTORY_DAYS, History, historySpan } from '../../../bench/grow/history.ts';
import { DEFAULT_RULES } from '../../../src/domain/limits.ts';
import { decodeLog } from '../../../src/domain/playback-log.ts';
import { playRecordBound, readPlayRecord, writePlayRecord } from '../../../src/journal/record.ts';

const NOW = Date.UTC(2026, 4, 17, 9, 30);
const DAY_MS = 86_400_000;

describe('a synthetic past', () => {
  const span = historySpan(NOW);

  it('is a month of whole days that ended a day ago', () => {
    expect(new Date(span.to).toISOString()).toBe('2026-05-16T00:00:00.000Z');
    expect(span.to - span.from).toBe(HISTORY_DAYS * DAY_MS);
  });

  it.each(['v7', 'v4'] as const)('has plays with ids of %s that a device could have sent', (ids) => {
    const history = new History({ seed: 1, logs: 500, ids, ...span });
    const seen = new Set<string>();
    for (let i = 0; i < 500; i += 1) {
      const play = history.next();
      const log = {
        ...(JSON.parse(Buffer.from(play.canonical).toString()) as object),
        signature: Buffer.from(play.signature).toString('base64'),
      };
      const decoded = decodeLog(log, DEFAULT_RULES);
      if (!decoded.ok) throw new Error(decoded.detail);
      // Canonical again, it is the same text: what stands there is what would have been signed.
      expect(Buffer.from(decoded.log.canonical).equals(play.canonical)).toBe(true);
      expect(play.contentHash).toBe(hash('sha256', play.canonical, 'hex'));
      expect(play.logId[14]).toBe(ids === 'v7' ? '7' : '4');
      expect(play.receivedAt).toBeGreaterThanOrEqual(play.endedAt);
      expect(play.receivedAt).toBeLessThan(span.to);
      const target = Buffer.alloc(playRecordBound(play));
      expect(readPlayRecord(target.subarray(0, writePlayRecord(target, 0, play))).logId).toBe(play.logId);
      seen.add(play.logId);
    }
    expect(seen.size).toBe(500);
    expect(history.left).toBe(0);
  });
});
