import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CODE_NAMES, CODES, LOG_CODES } from '../../../src/domain/codes.ts';

const document = readFileSync(new URL('../../../docs/codes.md', import.meta.url), 'utf8');

/** The rows of all tables: code, status, retryable, meaning, what to do. */
const rows = document
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

describe('docs/codes.md', () => {
  it('lists exactly the codes of the registry, in its order', () => {
    expect(rows.map(([code]) => code)).toEqual(CODE_NAMES.map((code) => `\`${code}\``));
  });

  it.each(CODE_NAMES)('says of %s what the registry says, and what to do', (code) => {
    const { status, retryable, title } = CODES[code];
    const row = rows.find(([cell]) => cell === `\`${code}\``);
    expect(row?.slice(1, 4)).toEqual([String(status), retryable ? 'yes' : 'no', title]);
    expect(row?.[4]).toMatch(/^\S.{9,}/);
  });
});

describe('the registry of codes', () => {
  it('says that a retry can help exactly where the same log can be judged otherwise later', () => {
    expect(LOG_CODES.filter((code) => CODES[code].retryable)).toEqual(['unknown_device', 'unknown_campaign']);
  });

  it('has a 4xx for what the client has to change, and every 5xx that may pass is retryable', () => {
    for (const code of CODE_NAMES) {
      const { status, retryable } = CODES[code];
      expect(status).toBeGreaterThanOrEqual(400);
      if (status >= 500 && code !== 'not_implemented') expect(retryable, code).toBe(true);
    }
  });
});
