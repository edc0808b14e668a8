import reference from 'canonicalize';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize } from '../src/canonical-json.ts';

const plainJson = fc.jsonValue({ noUnicodeString: false }).filter((value) => !/\\ud[89a-f]/i.test(JSON.stringify(value)));

describe('canonicalize', () => {
  it('writes what RFC 8785 shows', () => {
    const sample = {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"\u002f',
      literals: [null, true, false],
    };
    expect(canonicalize(sample)).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  it('orders names by UTF-16 code units', () => {
    expect(canonicalize({ '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, ö: 7 })).toBe(
      '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"\ud83d\ude00":5,"\ufb33":3}',
    );
  });

  it('agrees with another implementation and is read back as the same value', () => {
    fc.assert(
      fc.property(plainJson, (value) => {
        const text = canonicalize(value);
        expect(text).toBe(reference(value));
        expect(canonicalize(JSON.parse(text))).toBe(text);
      }),
    );
  });

  it.each([
    ['undefined', { a: { b: undefined } }, /\/a\/b is of type undefined/],
    ['NaN', { a: [0, Number.NaN] }, /\/a\/1 is NaN/],
    ['infinity', Number.NEGATIVE_INFINITY, /the value is -Infinity/],
    ['a big integer', { n: 1n }, /\/n is of type bigint/],
    ['a lone surrogate', { s: '\ud800' }, /\/s holds half/],
    ['a lone surrogate in a name', { '\udc00': 1 }, /holds half/],
    ['a date', { at: new Date(0) }, /\/at is no plain object/],
  ])('refuses %s and says where', (_, value, message) => {
    expect(() => canonicalize(value)).toThrow(message);
  });

  it('refuses depth instead of overflowing the stack', () => {
    let value: unknown = 1;
    for (let i = 0; i < 100_000; i += 1) value = [value];
    expect(() => canonicalize(value)).toThrow(/deeper than 64/);
  });
});
