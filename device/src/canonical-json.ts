/**
 * RFC 8785 (JSON Canonicalization Scheme): the one spelling of a JSON value that is signed. Members are ordered by the UTF-16
 * code units of their names, numbers and strings are written as ECMAScript writes them, and nothing stands between the tokens.
 */
const MAX_DEPTH = 64;

/**
 * @returns the canonical text of `value`.
 * @throws TypeError naming the place of whatever JSON cannot say exactly: undefined, functions, NaN, infinities, big integers,
 *   lone surrogates, objects that are no plain records, and anything nested deeper than 64.
 */
export function canonicalize(value: unknown): string {
  return write(value, '', 0);
}

function write(value: unknown, at: string, depth: number): string {
  if (value === null || value === true || value === false) return String(value);
  if (typeof value === 'string') return writeString(value, at);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${place(at)} is ${value}, which JSON has no number for`);
    return JSON.stringify(value);
  }
  if (typeof value !== 'object') throw new TypeError(`${place(at)} is of type ${typeof value}, which JSON does not have`);
  if (depth >= MAX_DEPTH) throw new TypeError(`${place(at)} is nested deeper than ${MAX_DEPTH}`);
  if (Array.isArray(value)) {
    let text = '[';
    for (let i = 0; i < value.length; i += 1) text += (i === 0 ? '' : ',') + write(value[i], `${at}/${i}`, depth + 1);
    return `${text}]`;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError(`${place(at)} is no plain object`);
  const record = value as Record<string, unknown>;
  let text = '{';
  // The default order of sort() is that of UTF-16 code units, which is the one RFC 8785 asks for.
  for (const name of Object.keys(record).sort()) {
    const here = `${at}/${name}`;
    text += `${(text === '{' ? '' : ',') + writeString(name, here)}:${write(record[name], here, depth + 1)}`;
  }
  return `${text}}`;
}

function writeString(text: string, at: string): string {
  // A lone surrogate has no UTF-8 form, so it has no bytes that could be signed.
  if (/\p{Surrogate}/u.test(text)) throw new TypeError(`${place(at)} holds half a surrogate pair`);
  return JSON.stringify(text);
}

function place(at: string): string {
  return at === '' ? 'the value' : `the value at ${at}`;
}
