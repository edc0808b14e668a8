import { describe, expect, test } from 'vitest';
import { parsePlayFilter } from '../../../src/query/play-filter.ts';
import { DIMENSIONS, parseBy, reportQuery } from '../../../src/query/report-sql.ts';
import { SCOPE_ALL } from '../../../src/server/access.ts';

const A = '0190D8C1-2F3A-7D45-8A3B-000000000001';

describe('the SQL of a report', () => {
  test('what a client sent is in the parameters, and nothing of it in the text', () => {
    const filter = parsePlayFilter({ campaign_id: [A, A], status: 'ERROR', from: '2026-05-01T00:00:00+07:00', to: '2026-05-02T00:00:00Z' });
    const { sql, params } = reportQuery({ by: [...DIMENSIONS], filter, scope: { supplierId: A.toLowerCase(), advertiserId: null } }, null);
    expect(params).toEqual({
      campaign_id: [A.toLowerCase(), A.toLowerCase()],
      status: ['ERROR'],
      from: Date.UTC(2026, 3, 30, 17),
      to: Date.UTC(2026, 4, 2),
      scope_supplier: A.toLowerCase(),
    });
    for (const value of [A, A.toLowerCase(), "('ERROR')", String(params.from), String(params.to)]) expect(sql).not.toContain(value);
    for (const name of Object.keys(params)) expect(sql).toContain(`{${name}:`);
  });

  test('a log counts once, and rows are bounded, in every report', () => {
    for (const by of [[], [...DIMENSIONS]]) {
      const { sql } = reportQuery({ by, filter: parsePlayFilter({}), scope: SCOPE_ALL }, null);
      expect(sql).toContain('FROM playproof.plays AS p FINAL WHERE 1');
      expect(sql).toMatch(/LIMIT 100001$/);
    }
  });

  test('dimensions are taken by name, once each', () => {
    expect(parseBy(undefined)).toEqual([]);
    expect(parseBy('day,campaign_id')).toEqual(['day', 'campaign_id']);
    for (const wrong of ['', 'day,', 'day;drop', 'Day', 'day,day', 'log_id'])
      expect(() => parseBy(wrong), wrong).toThrow('invalid_parameter');
  });
});

describe('filters', () => {
  test('a lost plus sign is explained', () => {
    expect(() => parsePlayFilter({ from: '2026-05-01T00:00:00 07:00' })).toThrow('%2B');
    expect(() => parsePlayFilter({ from: 'yesterday' })).toThrow('RFC 3339');
  });

  test('a span without an instant in it is refused', () => {
    const at = '2026-05-01T00:00:00Z';
    expect(() => parsePlayFilter({ from: at, to: at })).toThrow('"from" must lie before "to"');
    expect(parsePlayFilter({ from: at, to: '2026-05-01T00:00:00.001Z' })).toMatchObject({
      from: Date.UTC(2026, 4, 1),
      to: Date.UTC(2026, 4, 1) + 1,
    });
  });
});
