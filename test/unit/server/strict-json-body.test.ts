import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_BODY_DEPTH, parseStrictJson } from '../../../src/server/strict-json-body.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const RESERVED = ['__proto__', 'constructor', 'prototype'];

const json = fc
  .jsonValue({ maxDepth: MAX_BODY_DEPTH - 2, stringUnit: 'grapheme' })
  .filter((value) => !RESERVED.some((name) => JSON.stringify(value).includes(`"${name}"`)))
  .filter((value) => !/\d{16,}|e\+/.test(JSON.stringify(value)));

test('reads what JSON.parse reads, in any spelling', () => {
  fc.assert(
    fc.property(json, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
      expect(parseStrictJson(bytes(JSON.stringify(value, null, indent)))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('a second member of any name is found at any depth, whatever stands in the strings', () => {
  fc.assert(
    fc.property(fc.string(), json, json, fc.integer({ min: 0, max: 5 }), (name, one, other, depth) => {
      fc.pre(!RESERVED.includes(name));
      const twice = `{${JSON.stringify(name)}:${JSON.stringify(one)},${JSON.stringify(name)}:${JSON.stringify(other)}}`;
      fc.pre(depthOf(one) + depth < MAX_BODY_DEPTH && depthOf(other) + depth < MAX_BODY_DEPTH);
      expect(() => parseStrictJson(bytes('['.repeat(depth) + twice + ']'.repeat(depth)))).toThrow(/two members/);
    }),
  );
});

test('never throws anything but malformed, and only takes what JSON.parse takes', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.stringMatching(/^[{}[\]":,\\u0-9a-f ]*$/).map(bytes)), (input) => {
      let value: unknown;
      try {
        value = parseStrictJson(input);
      } catch (error) {
        expect(error).toMatchObject({ code: 'malformed' });
        return;
      }
      expect(value).toEqual(JSON.parse(new TextDecoder().decode(input)));
    }),
    { numRuns: 2_000 },
  );
});

describe('bounds', () => {
  test('the depth that is allowed is allowed', () => {
    expect(parseStrictJson(bytes('['.repeat(MAX_BODY_DEPTH) + ']'.repeat(MAX_BODY_DEPTH)))).toBeDefined();
    expect(() => parseStrictJson(bytes('['.repeat(MAX_BODY_DEPTH + 1) + ']'.repeat(MAX_BODY_DEPTH + 1)))).toThrow(/deeper/);
  });

  test('a long string of quotes and backslashes takes no time to speak of', () => {
    expect(parseStrictJson(bytes(JSON.stringify('\\"'.repeat(500_000))))).toHaveLength(1_000_000);
  });
});

test('a name that is spelled with an escape is the name that it says, whatever was read before (nodejs/node#63785)', () => {
  // In V8 this makes the name at the same place behind it be misread.
  parseStrictJson(bytes('{"q":[],"st\\\\u00":0}'));
  expect(parseStrictJson(bytes('{"q":1,"st\\u0061tus":2}'))).toEqual({ q: 1, status: 2 });
  expect(() => parseStrictJson(bytes('{"name":1,"n\\u0061me":2}'))).toThrow(/two members/);
});

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}
