/**
 * A slow, obvious reader of strict JSON: recursive descent over the characters, every rule where it stands in the contract. The real reader
 * is held against it.
 */
const RESERVED = ['__proto__', 'constructor', 'prototype'];

/** Whether the text is one sound JSON value, and, if so, whether it keeps the rules for a log. */
export function referenceVerdict(text: string): 'no-json' | 'malformed' | 'fine' {
  try {
    const reader = new Reader(text);
    const verdict = reader.document();
    return verdict;
  } catch (error) {
    if (error instanceof SyntaxFault) return 'no-json';
    throw error;
  }
}

class SyntaxFault extends Error {}

class Reader {
  readonly #text: string;
  #at = 0;
  #broken = false;

  constructor(text: string) {
    this.#text = text;
  }

  document(): 'malformed' | 'fine' {
    this.#space();
    if (this.#text[this.#at] !== '{') this.#broken = true;
    this.#value(1);
    this.#space();
    if (this.#at !== this.#text.length) throw new SyntaxFault();
    return this.#broken ? 'malformed' : 'fine';
  }

  #space(): void {
    while (this.#at < this.#text.length && ' \t\r\n'.includes(this.#text[this.#at] as string)) this.#at += 1;
  }

  #take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw new SyntaxFault();
  }

  #value(depth: number): void {
    const next = this.#text[this.#at];
    if ((next === '{' || next === '[') && depth > 8) this.#broken = true;
    if (next === '{') this.#object(depth);
    else if (next === '[') this.#array(depth);
    else if (next === '"') this.#string();
    else if (!this.#take('true') && !this.#take('false') && !this.#take('null')) this.#number();
  }

  #object(depth: number): void {
    const names = new Set<string>();
    this.#expect('{');
    this.#space();
    if (this.#take('}')) return;
    do {
      this.#space();
      const name = this.#string();
      if (names.has(name) || RESERVED.includes(name)) this.#broken = true;
      names.add(name);
      this.#space();
      this.#expect(':');
      this.#space();
      this.#value(depth + 1);
      this.#space();
    } while (this.#take(','));
    this.#expect('}');
  }

  #array(depth: number): void {
    this.#expect('[');
    this.#space();
    if (this.#take(']')) return;
    do {
      this.#space();
      this.#value(depth + 1);
      this.#space();
    } while (this.#take(','));
    this.#expect(']');
  }

  #string(): string {
    this.#expect('"');
    let value = '';
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined || char < ' ') throw new SyntaxFault();
      this.#at += 1;
      if (char === '"') break;
      value += char === '\\' ? this.#escape() : char;
    }
    for (const character of value) {
      const code = character.codePointAt(0) as number;
      if (code >= 0xd800 && code <= 0xdfff) this.#broken = true;
    }
    return value;
  }

  #escape(): string {
    const char = this.#text[this.#at] ?? '';
    this.#at += 1;
    if (char === 'u') {
      const digits = this.#text.slice(this.#at, this.#at + 4);
      if (!/^[0-9A-Fa-f]{4}$/.test(digits)) throw new SyntaxFault();
      this.#at += 4;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const place = '"\\/bfnrt'.indexOf(char);
    if (char === '' || place < 0) throw new SyntaxFault();
    return '"\\/\b\f\n\r\t'[place] as string;
  }

  #number(): void {
    const match = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/.exec(this.#text.slice(this.#at));
    if (!match) throw new SyntaxFault();
    this.#at += match[0].length;
    const value = Number(match[0]);
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) this.#broken = true;
  }
}
