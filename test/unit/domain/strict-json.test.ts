import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_BATCH_BYTES, MAX_LOG_BYTES } from '../../../src/domain/limits.ts';
import { type RawLog, readBatch, readSingleLog } from '../../../src/domain/strict-json.ts';
import { referenceVerdict } from '../../support/strict-reference.ts';

function single(text: string): 'no-json' | 'malformed' | 'too_large' | 'fine' {
  const read = readSingleLog(Buffer.from(text));
  if (!read.ok) return read.code === 'malformed' ? 'no-json' : 'too_large';
  return read.value.fault?.code ?? 'fine';
}

function batch(text: string, maxLogs = 100): readonly RawLog[] {
  const read = readBatch(Buffer.from(text), maxLogs);
  if (!read.ok) throw new Error(`${read.code}: ${read.detail}`);
  return read.value.logs;
}

function refusal(body: string | Uint8Array, maxLogs = 100): { code: string; fields?: string[] } {
  const read = readBatch(typeof body === 'string' ? Buffer.from(body) : body, maxLogs);
  if (read.ok) throw new Error('the batch was read');
  expect(read.detail).toMatch(/^[A-Za-z].*\.$/);
  return { code: read.code, ...(read.fields && { fields: read.fields }) };
}

// JSON texts that lie on both sides of every rule: names that repeat in other spellings, half pairs, depth, numbers, white space.
const space = fc.constantFrom('', '', '', ' ', '\n\t', '\r\n  ');
const piece = fc.constantFrom(
  'a',
  'b',
  ':',
  ',',
  '{',
  '}',
  '[',
  ']',
  '\\"',
  '\\\\',
  '\\/',
  '\\n',
  '\\u0061',
  '\\u0022',
  '\\ud83d\\ude00',
  '😀',
  'é',
);
const rarePiece = fc.oneof({ weight: 60, arbitrary: piece }, { weight: 1, arbitrary: fc.constantFrom('\\ud800', '\\udc00', '\\\\ud800') });
const string = fc.array(rarePiece, { maxLength: 4 }).map((pieces) => `"${pieces.join('')}"`);
const name = fc.oneof(
  { weight: 30, arbitrary: string },
  { weight: 10, arbitrary: fc.nat(50).map((n) => `"n${n}"`) },
  { weight: 1, arbitrary: fc.constantFrom('"__proto__"', '"constructor"', '"prototype"', '"\\u005f_proto__"', '"toString"', '"__proto"') },
);
const number = fc.oneof(
  { weight: 12, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '9007199254740991',
      '9007199254740992',
      '-9007199254740993',
      '1e16',
      '1E400',
      '-1e999',
      '9007199254740991.4',
      '-0',
      '1e-400',
    ),
  },
);
const { value: json } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 9, withCrossShrink: true },
    number,
    string,
    fc.constantFrom('true', 'false', 'null'),
    tie('object'),
    tie('array'),
  ),
  object: fc
    .tuple(space, fc.array(fc.tuple(space, name, space, space, tie('value'), space), { maxLength: 4 }))
    .map(([inner, members]) => `{${inner}${members.map(([a, key, b, c, val, d]) => `${a}${key}${b}:${c}${val}${d}`).join(',')}}`),
  array: fc.tuple(space, fc.array(fc.tuple(space, tie('value'), space), { maxLength: 3 })).map(([inner, items]) => {
    return `[${inner}${items.map((item) => item.join('')).join(',')}]`;
  }),
}));
const objectText = fc
  .tuple(space, fc.array(fc.tuple(name, space, json), { maxLength: 5 }), fc.nat(8))
  .map(([inner, members, nesting]) => `{${inner}${members.map(([key, b, val]) => `${key}${b}:${nested(val, nesting)}`).join(',')}}`);

function nested(text: string, depth: number): string {
  return '['.repeat(depth) + text + ']'.repeat(depth);
}

/** A log of exactly so many bytes. */
const sized = (bytes: number, character: string) => {
  const room = bytes - Buffer.byteLength('{"a":""}');
  const count = Math.floor(room / Buffer.byteLength(character));
  return `{"a":"${character.repeat(count)}${'x'.repeat(room - count * Buffer.byteLength(character))}"}`;
};

const sentAtOf = (text: string) => {
  const read = readBatch(Buffer.from(text), 100);
  return read.ok ? read.value.sentAt : read;
};

const emptyLogs = (count: number) => `{"logs":[${Array.from({ length: count }, () => '{}').join(',')}]}`;

const NAME = /"((?:[^"\\]|\\.)*)"\s*:/g;

/**
 * Names that V8's JSON.parse may take for another that it read before (nodejs/node#63785, see src/domain/json-names.ts). One that cannot be
 * written without an escape is refused in any case, under whichever name; one that can is read rightly here, but not by the
 * JSON.parse that values are held against.
 */
function escapesIn(text: string): { readonly needEscapes: boolean; readonly haveEscapes: boolean } {
  const names = [...text.matchAll(NAME)].map(([, spelled]) => spelled as string).filter((spelled) => spelled.includes('\\'));
  const needs = (spelled: string): boolean => {
    try {
      return JSON.stringify(JSON.parse(`"${spelled}"`)).includes('\\');
    } catch {
      return false;
    }
  };
  return { needEscapes: names.some(needs), haveEscapes: names.length > 0 };
}

describe('the strict reader', () => {
  it('says of any JSON what the obvious reference says', () => {
    const seen = { 'no-json': 0, malformed: 0, fine: 0 };
    fc.assert(
      fc.property(fc.oneof({ weight: 5, arbitrary: objectText }, json), (text) => {
        fc.pre(Buffer.byteLength(text) <= MAX_LOG_BYTES && !escapesIn(text).needEscapes);
        const expected = referenceVerdict(text);
        seen[expected] += 1;
        expect(single(text)).toBe(expected);
      }),
      { numRuns: 3_000 },
    );
    // The texts reach both sides.
    expect(Math.min(seen.malformed, seen.fine)).toBeGreaterThan(100);
  });

  it('says the same of damaged JSON', () => {
    fc.assert(
      fc.property(objectText, fc.nat(), fc.constantFrom('', '"', '\\', '}', ',', ':', '0', '\u0000', 'x'), (text, at, damage) => {
        const place = at % (text.length + 1);
        const damaged = (text.slice(0, place) + damage + text.slice(place + 1)).toWellFormed();
        fc.pre(Buffer.byteLength(damaged) <= MAX_LOG_BYTES && !escapesIn(damaged).needEscapes);
        const bom = damaged.startsWith('\ufeff');
        expect(single(damaged)).toBe(bom ? 'no-json' : referenceVerdict(damaged));
      }),
      { numRuns: 2_000 },
    );
  });

  it('finds in a batch each log as it was sent, with the fault that it has alone', () => {
    fc.assert(
      fc.property(fc.array(json, { minLength: 1, maxLength: 6 }), fc.constantFrom('', ' ', '\n'), fc.boolean(), (texts, gap, bare) => {
        fc.pre(!texts.some((text) => escapesIn(text).needEscapes));
        const list = `[${texts.map((text) => gap + text + gap).join(',')}]`;
        const logs = batch(bare ? list : `{"sent_at" : "x:\\"{[" ,"l\\u006fgs": ${list} }`);
        expect(logs.map((log) => log.text().trim())).toEqual(texts.map((text) => text.trim()));
        for (const [i, log] of logs.entries()) {
          const alone = referenceVerdict(texts[i] as string);
          expect(log.fault?.code ?? 'fine').toBe(alone);
          if (escapesIn(texts[i] as string).haveEscapes) continue;
          expect(log.value).toEqual(alone === 'fine' ? JSON.parse(texts[i] as string) : null);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('never throws on any bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 64 }),
          json.map((text) => Buffer.from(text)),
        ),
        fc.nat(255),
        (bytes, flip) => {
          const body = Uint8Array.from(bytes);
          if (body.length > 0) body[flip % body.length] = flip;
          for (const read of [readSingleLog(body), readBatch(body, 100)]) if (!read.ok) expect(read.detail).not.toBe('');
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('a single log', () => {
  it.each([
    ['nothing', '', 'no-json'],
    ['blanks', ' \n', 'no-json'],
    ['two documents', '{}{}', 'no-json'],
    ['a number', '1', 'malformed'],
    ['a string', '"x"', 'malformed'],
    ['null', 'null', 'malformed'],
    ['an array', '[]', 'malformed'],
    ['a byte-order mark', '\ufeff{}', 'no-json'],
    ['a comment', '{/**/}', 'no-json'],
    ['eight levels', `{"a":${nested('1', 7)}}`, 'fine'],
    ['nine levels', `{"a":${nested('1', 8)}}`, 'malformed'],
    ['equal names after unescaping', '{"a":1,"\\u0061":1}', 'malformed'],
    ['equal names within', '{"b":[{"a":1,"a":1}]}', 'malformed'],
    ['a repeated name whose first value held others', '{"a":{"b":1},"a":1}', 'malformed'],
    ['a reserved name', '{"a":{"constructor":1}}', 'malformed'],
    ['a whole surrogate pair', '{"a":"\\ud83d\\ude00"}', 'fine'],
    ['half a pair in a name', '{"\\ud83d":1}', 'malformed'],
    ['the halves exchanged', '{"a":"\\ude00\\ud83d"}', 'malformed'],
    ['backslashes before quotes', '{"a\\\\":"\\\\\\"","b":"\\\\"}', 'fine'],
  ])('%s', (_name, text, verdict) => expect(single(text)).toBe(verdict));

  it('has at most 16 384 bytes, counted as sent', () => {
    for (const character of ['x', 'é', '漢', '😀']) {
      expect(single(sized(MAX_LOG_BYTES, character))).toBe('fine');
      expect(single(sized(MAX_LOG_BYTES + 1, character))).toBe('too_large');
      const [fits, beyond] = batch(`[${sized(MAX_LOG_BYTES, character)},\n${sized(MAX_LOG_BYTES + 1, character)}]`);
      expect(fits?.fault).toBeNull();
      expect(beyond?.fault?.code).toBe('too_large');
    }
  });

  it.each([
    ['overlong', [0xc0, 0xaf]],
    ['a lone continuation', [0x80]],
    ['cut off', [0xe2, 0x82]],
    ['an encoded surrogate', [0xed, 0xa0, 0x80]],
    ['beyond Unicode', [0xf5, 0x80, 0x80, 0x80]],
  ])('refuses bytes that are no UTF-8: %s', (_name, bytes) => {
    const body = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from('"}')]);
    expect(readSingleLog(body)).toMatchObject({ ok: false, code: 'malformed' });
    expect(readBatch(Buffer.concat([Buffer.from('['), body, Buffer.from(',{}]')]), 100)).toMatchObject({ ok: false, code: 'malformed' });
  });
});

describe('names that are spelled with escapes', () => {
  const namesOf = (text: string): string[] => {
    const read = readSingleLog(Buffer.from(text));
    return Object.keys((read.ok && read.value.value) || {});
  };

  it('are read as what they say, whatever somebody sent before (nodejs/node#63785)', () => {
    // In V8 each of these makes the name at the same place behind it be misread.
    namesOf('{"h":[],"st\\\\u00":0}');
    expect(namesOf('{"h":1,"st\\u0061tus":2}')).toEqual(['h', 'status']);
    namesOf('{"i":[],"\\\\u005f_pr":0}');
    expect(single('{"i":1,"\\u005f_proto__":2}')).toBe('malformed');
    expect(batch('[{"j":[],"st\\\\u00":0},{"j":1,"st\\u0061tus":2}]')[1]?.value).toEqual({ j: 1, status: 2 });
  });

  it('keep what stands around them', () => {
    expect(namesOf(' { "\\u0061" : "\\"x\\":" , "b\\n":"c\\u0061:" , "\\u0063":{"\\u0064":["\\\\"]} } ')).toEqual(['a', 'b\n', 'c']);
    expect(single('{"\\u0061":1,"a":2}')).toBe('malformed');
  });
});

describe('the envelope of a batch', () => {
  it('may tell the send time, which is handed on as sent', () => {
    expect(sentAtOf('{"logs":[{}],"sent_at":"yesterday"}')).toBe('yesterday');
    expect(sentAtOf('{"sent_at":null,"logs":[{}]}')).toBeNull();
    expect(sentAtOf('{"logs":[{}]}')).toBeNull();
    expect(sentAtOf('[{}]')).toBeNull();
  });

  it.each([
    ['no log in an array', '[]', { code: 'invalid_field', fields: [''] }],
    ['no log', '{"logs":[]}', { code: 'invalid_field', fields: ['/logs'] }],
    ['no logs member', '{}', { code: 'invalid_field', fields: ['/logs'] }],
    ['logs that are no array', '{"logs":{}}', { code: 'invalid_field', fields: ['/logs'] }],
    ['null for logs', '{"logs":null}', { code: 'invalid_field', fields: ['/logs'] }],
    ['a send time that is no text', '{"logs":[{}],"sent_at":1}', { code: 'invalid_field', fields: ['/sent_at'] }],
    ['two faults', '{"sent_at":{}}', { code: 'invalid_field', fields: ['/logs', '/sent_at'] }],
    ['unknown members', '{"z":1,"logs":[{}],"a/~b":2}', { code: 'invalid_field', fields: ['/a~1~0b', '/z'] }],
    ['several faults at once', '{"sent_at":{},"logs":3,"x":1}', { code: 'invalid_field', fields: ['/logs', '/sent_at', '/x'] }],
    ['a member twice', '{"logs":[{}],"logs":[{}]}', { code: 'malformed' }],
    ['a member twice, escaped', '{"logs":[{}],"\\u006cogs":[{}]}', { code: 'malformed' }],
    ['a reserved name', '{"logs":[{}],"__proto__":1}', { code: 'malformed' }],
    ['half a surrogate pair in a name', '{"logs":[{}],"\\ud800":1}', { code: 'malformed' }],
    ['half a surrogate pair in the send time', '{"logs":[{}],"sent_at":"\\ud800"}', { code: 'malformed' }],
    ['a plain value', '7', { code: 'malformed' }],
    ['nothing', '', { code: 'malformed' }],
    ['bytes after it', '[{}] x', { code: 'malformed' }],
    ['a syntax fault in one log', '[{},{"a":}]', { code: 'malformed' }],
  ])('refuses the request: %s', (_name, text, expected) => expect(refusal(text)).toEqual(expected));

  it('takes as many logs as it is told, and no more', () => {
    expect(batch(emptyLogs(100))).toHaveLength(100);
    expect(refusal(emptyLogs(101))).toEqual({ code: 'too_large' });
    expect(refusal('[1,2,3]', 2)).toEqual({ code: 'too_large' });
  });

  it('takes 2 MiB, and no more', () => {
    const body = Buffer.alloc(MAX_BATCH_BYTES, 0x20);
    body.write('[{}]');
    expect(readBatch(body, 100).ok).toBe(true);
    expect(refusal(Buffer.concat([body, Buffer.from(' ')]))).toEqual({ code: 'too_large' });
  });

  it('names a bounded number of unknown members', () => {
    const members = Array.from({ length: 5_000 }, (_, i) => `"m${i}":1`).join(',');
    expect(refusal(`{${members}}`).fields).toHaveLength(100);
  });

  it('survives nesting that would overflow a stack', () => {
    const depth = MAX_BATCH_BYTES / 2;
    expect(refusal('['.repeat(depth))).toEqual({ code: 'malformed' });
    expect(refusal('{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000))).toEqual({ code: 'invalid_field', fields: ['/a', '/logs'] });
    const [deep, beside] = batch(`[${nested('1', depth - 10)},{}]`);
    expect(deep?.fault?.code).toBe('too_large');
    expect(beside?.fault).toBeNull();
    // Within 16 KiB the depth itself is the fault.
    expect(batch(`[${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}]`)[0]?.fault?.code).toBe('malformed');
  });
});
