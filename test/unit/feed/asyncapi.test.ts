import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Compile } from 'typebox/schema';
import { describe, expect, it } from 'vitest';
import { FEED_HEADERS_SCHEMA, FEED_RECORD_SCHEMA, feedDocument } from '../../../src/feed/asyncapi.ts';
import { feedRecord } from '../../../src/feed/feed-record.ts';
import { feedMessage, positionOf } from '../../../src/feed/kafka-message.ts';
import { VERSION } from '../../../src/version.ts';
import { playOf } from '../../support/feed-file.ts';
import { playBytes } from '../../support/plays.ts';

const FILE = path.resolve(import.meta.dirname, '../../../docs/feed.asyncapi.json');

const RECORDS = [
  feedRecord(playOf(0)),
  feedRecord(
    playOf(1, {
      region: null,
      status: 'PARTIAL',
      billable: false,
      durationActualMs: 1_001,
      distanceM: 12.5,
      canonical: Buffer.from(JSON.stringify({ location: { lat: 10.5, lng: -106 }, screenshot_hash: `sha256:${'aB'.repeat(32)}` })),
    }),
  ),
].map((record) => JSON.parse(JSON.stringify(record)) as Record<string, unknown>);

describe('the AsyncAPI document', () => {
  it('is the one in docs', () => {
    expect(JSON.parse(readFileSync(FILE, 'utf8'))).toEqual(JSON.parse(JSON.stringify(feedDocument(VERSION))));
  });

  it('holds every real record, and only with every field of it', () => {
    const schema = Compile(FEED_RECORD_SCHEMA as object);
    for (const record of RECORDS) {
      expect(schema.Check(record)).toBe(true);
      expect(Object.keys(record)).toEqual(Object.keys(FEED_RECORD_SCHEMA.properties));
      for (const name of Object.keys(record)) {
        const { [name]: _left, ...rest } = record;
        expect(schema.Check(rest), `without ${name}`).toBe(false);
        expect(schema.Check({ ...record, [name]: [] }), `with another ${name}`).toBe(false);
      }
      expect(schema.Check({ ...record, more: 1 })).toBe(false);
    }
  });

  it('holds the headers of a real message, from which the journal position is read again', () => {
    const position = { journalId: '5f0b0a52-0000-8000-8000-000000000001', partition: 3, offset: 12_345_678_901 };
    const { headers, key } = feedMessage('plays', playBytes(playOf(2)), position);
    const together = Object.assign({}, ...headers) as Record<string, string>;
    expect(Compile(FEED_HEADERS_SCHEMA as object).Check(together)).toBe(true);
    expect(together).toMatchObject({ ce_id: playOf(2).logId, ce_time: '2026-09-01T00:00:02.500Z' });
    expect(key).toBe(playOf(2).deviceId);
    expect(positionOf(headers)).toEqual(position);
    expect(positionOf([{ journal_position: 'x' }])).toBeNull();
    expect(positionOf(undefined)).toBeNull();
  });
});
