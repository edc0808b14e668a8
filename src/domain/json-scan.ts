/**
 * Finds its way through JSON text that `JSON.parse` has already found to be sound: where a value ends, how deep it goes, how many members
 * it has. So nothing here checks syntax, and nothing recurses.
 */
const QUOTE = 34;
const BACKSLASH = 92;

/** The index after the string whose opening quote is at `at`. Jumps from quote to quote: strings are most of a log. */
export function afterString(text: string, at: number): number {
  let quote = text.indexOf('"', at + 1);
  for (;;) {
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    // An even number of backslashes before it escape each other, not the quote.
    if ((quote - before) % 2 === 1) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
}

/** The index of the first character at or after `at` that is no JSON white space. */
export function afterSpace(text: string, at: number): number {
  let index = at;
  for (;;) {
    const char = text.charCodeAt(index);
    if (char !== 32 && char !== 10 && char !== 13 && char !== 9) return index;
    index += 1;
  }
}

export interface Extent {
  /** The index after the value. */
  end: number;
  /** Of all objects in it, each name counted as often as it is written. */
  members: number;
  /** Objects and arrays inside each other; a plain value has 0. */
  depth: number;
}

/** Measures the value that begins at `at`. Writes into `extent`, so that no object is made for each of many values. */
export function measure(text: string, at: number, extent: Extent): void {
  let index = at;
  let open = 0;
  let depth = 0;
  let members = 0;
  do {
    switch (text.charCodeAt(index)) {
      case QUOTE:
        index = afterString(text, index);
        break;
      case 123: // {
      case 91: // [
        open += 1;
        if (open > depth) depth = open;
        index += 1;
        break;
      case 125: // }
      case 93: // ]
        open -= 1;
        index += 1;
        break;
      case 58: // :
        members += 1;
        index += 1;
        break;
      default:
        index = open > 0 ? index + 1 : afterPlain(text, index);
    }
  } while (open > 0);
  extent.end = index;
  extent.members = members;
  extent.depth = depth;
}

/** The index after the number or literal at `at` that stands alone. */
function afterPlain(text: string, at: number): number {
  let index = at + 1;
  for (; index < text.length; index += 1) {
    const char = text.charCodeAt(index);
    if (char === 44 || char === 93 || char === 125 || char <= 32) break;
  }
  return index;
}
