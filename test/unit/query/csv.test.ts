import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { csvLine } from '../../../src/query/csv.ts';

/** An obvious reader of lines in which every cell is quoted. */
function read(line: string): string[] {
  expect(line.endsWith('"\r\n')).toBe(true);
  return line
    .slice(1, -3)
    .split(/","/)
    .map((cell) => cell.replaceAll('""', '"'));
}

test('cells that a spreadsheet would run get an apostrophe; others stay as they are', () => {
  expect(csvLine(['=1+1', '+1', '-1', '@x', '\tx', '\rx', 'a=b', '', null, 12.5, 'say "hi"'])).toBe(
    `"'=1+1","'+1","'-1","'@x","'\tx","'\rx","a=b","","","12.5","say ""hi"""\r\n`,
  );
});

test('what goes in comes out, and no cell begins dangerously', () => {
  // The quick reader above splits at `","`, so texts without quotes around commas.
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('"'));
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 6 }), (cells) => {
      const back = read(csvLine(cells));
      expect(back.map((cell, at) => (cell === `'${cells[at] ?? ''}` ? (cells[at] ?? '') : cell))).toEqual(cells);
      for (const cell of back) expect(cell).not.toMatch(/^[=+\-@\t\r]/);
    }),
  );
});
