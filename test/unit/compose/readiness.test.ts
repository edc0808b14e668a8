import { expect, test } from 'vitest';
import { EngineWatch } from '../../../src/compose/engine-watch.ts';
import { type Parts, readiness } from '../../../src/compose/readiness.ts';
import { waitUntil } from '../../support/wait-until.ts';

const NONE: Parts = { accept: null, settler: null, loader: null, query: null };
const AWAY = { fault: 'ClickHouse cannot be asked now: connect ECONNREFUSED' };

test('answering questions needs its engines; taking logs does not', () => {
  const check = { ok: false, detail: AWAY.fault };
  expect(readiness({ ...NONE, query: AWAY })).toEqual({ ok: false, checks: { query: check } });
  expect(readiness({ ...NONE, query: { fault: null } })).toEqual({ ok: true, checks: { query: { ok: true } } });
  const accept = { journal: 'open', refuses: '', refusal: null, viewAgeMs: 10 } as const;
  expect(readiness({ ...NONE, accept, query: AWAY })).toEqual({ ok: true, checks: { accept: { ok: true }, query: check } });
});

test('a role of which nothing is known yet is not ready, and says so', () => {
  expect(readiness({ ...NONE, loader: { status: null } })).toEqual({
    ok: false,
    checks: { analytics: { ok: false, detail: 'loading is starting' } },
  });
  expect(readiness({ ...NONE, settler: { status: null } })).toEqual({
    ok: false,
    checks: { settle: { ok: false, detail: 'settling is starting' } },
  });
});

test('engines are watched: not asked, away, there', async () => {
  let away = true;
  const watch = new EngineWatch({
    one: async () => {},
    two: () => (away ? Promise.reject(new Error('two is away')) : Promise.resolve()),
  });
  expect(watch.fault).toBe('one was not asked yet; two was not asked yet');
  await waitUntil(() => watch.fault === 'two is away');
  away = false;
  await waitUntil(() => watch.fault === null);
  watch.close();
});
