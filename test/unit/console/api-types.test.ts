import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { typeOf, typesOf } from '../../../console/scripts/api-types.ts';
import { faultsOfDocument } from '../../support/openapi-document.ts';
import { wholeDocument } from '../../support/whole-document.ts';

describe('the types that the console is written against', () => {
  it('are those of the service as it is; if not: `npm run types -w console`', async () => {
    const written = readFileSync(new URL('../../../console/src/api/types.ts', import.meta.url), 'utf8');
    expect(written).toBe(typesOf(await wholeDocument()));
  });

  it('come from a document without faults', async () => {
    expect(faultsOfDocument(await wholeDocument())).toEqual([]);
  });

  it('say what the schemas say', () => {
    expect(typeOf({ type: 'integer', minimum: 0 })).toBe('number');
    expect(typeOf({ anyOf: [{ type: 'string' }, { type: 'null' }] })).toBe('string | null');
    expect(typeOf({ enum: ['a', "b'c"] })).toBe("'a' | 'b\\'c'");
    expect(typeOf({ type: 'array', items: { $ref: '#/components/schemas/Problem' } })).toBe('(Problem)[]');
    expect(typeOf({ type: 'object', properties: { a: { type: 'string' }, 'b-c': { type: 'null' } }, required: ['a'] })).toBe(
      "{ a: string; 'b-c'?: null; }",
    );
    expect(typeOf({ type: 'object', patternProperties: { '^.*$': { type: 'boolean' } } })).toBe('Record<string, boolean>');
  });
});
