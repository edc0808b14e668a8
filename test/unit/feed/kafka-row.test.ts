import { assert, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FeedFault } from '../../../src/analytics/feed-source.ts';
import { MAX_PLAY_ROW_BYTES, writePlayRow } from '../../../src/domain/play-row.ts';
import type { Play } from '../../../src/domain/play.ts';
import { feedRecord } from '../../../src/feed/feed-record.ts';
import { rowOfMessage } from '../../../src/feed/kafka-row.ts';
import { playOf } from '../../support/feed-file.ts';
import { anyPlay } from '../../support/plays.ts';

const valueOf = (play: Play): Buffer => Buffer.from(JSON.stringify(feedRecord({ ...play, canonical: Buffer.from('{}') })));

function rowOf(play: Play): Buffer {
  const bytes = Buffer.alloc(MAX_PLAY_ROW_BYTES);
  return bytes.subarray(0, writePlayRow(bytes, 0, play));
}

describe('the row of a feed record', () => {
  it('I3: is the very row that the embedded feed carries, for every play', () => {
    assert(
      property(anyPlay, (play) => {
        expect(rowOfMessage(valueOf(play), 'here').equals(rowOf(play))).toBe(true);
      }),
    );
  });

  it('is the same from a record with a field that came later', () => {
    const value = Buffer.from(JSON.stringify({ ...feedRecord(playOf(1)), later: 1 }));
    expect(rowOfMessage(value, 'here').equals(rowOf(playOf(1)))).toBe(true);
  });

  it.each([
    ['log_id', 'not-a-uuid'],
    ['device_id', undefined],
    ['ended_at', '2026-02-30T00:00:00.000Z'],
    ['duration_actual', -1],
    ['duration_expected', '15'],
    ['duration_expected', 5_000_000],
    ['status', 'DONE'],
    ['billable', 'yes'],
    ['content_hash', 'A'.repeat(64)],
    ['distance_m', '3'],
    ['rule_version', 70_000],
    ['region', 7],
  ])('is refused, with the place and the field, when %s is %j', (name, bad) => {
    const value = Buffer.from(JSON.stringify({ ...feedRecord(playOf(1)), [name]: bad }));
    expect(() => rowOfMessage(value, 'plays/3/14')).toThrow(FeedFault);
    expect(() => rowOfMessage(value, 'plays/3/14')).toThrow(new RegExp(`plays/3/14.*"${name}"`));
  });

  it.each([null, Buffer.from(''), Buffer.from('{"log_id":'), Buffer.from('[]'), Buffer.from('7')])(
    'is refused when the value is %j',
    (value) => {
      expect(() => rowOfMessage(value, 'plays/0/0')).toThrow(FeedFault);
    },
  );
});
