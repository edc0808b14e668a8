/**
 * JSON bodies of the administrative routes, read as strictly as playback logs are: fatal UTF-8, no duplicate names, no lone
 * surrogates, no names that change a prototype, bounded depth, finite numbers and safe integers.
 */
import { parseNames } from '../domain/json-names.ts';
import { Problem } from './problem.ts';

/** The registry import nests lists of stores, devices, keys: well below this. */
export const MAX_BODY_DEPTH = 16;

const RESERVED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** @throws Problem malformed */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Problem('malformed', 'The body is not valid UTF-8.');
  }
}

/** @throws Problem malformed, saying what is wrong. */
export function parseStrictJson(bytes: Uint8Array): unknown {
  const text = decodeUtf8(bytes);
  const { members, depth } = scan(text);
  // Before JSON.parse, which would recurse for each level.
  if (depth > MAX_BODY_DEPTH) throw new Problem('malformed', `The JSON is nested deeper than ${MAX_BODY_DEPTH} levels.`);
  let value: unknown;
  try {
    value = parseNames(text);
  } catch {
    throw new Problem('malformed', 'The body is not valid JSON.');
  }
  // JSON.parse keeps the last of several members of one name, so fewer of them are left than the text had.
  if (inspect(value) !== members) throw new Problem('malformed', 'An object in the JSON has two members of the same name.');
  return value;
}

/** Colons outside of strings are members; brackets outside of strings are the depth. */
function scan(text: string): { members: number; depth: number } {
  let members = 0;
  let open = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === 0x22) at = endOfString(text, at);
    else if (char === 0x3a) members += 1;
    else if (char === 0x7b || char === 0x5b) {
      open += 1;
      if (open > depth) depth = open;
    } else if (char === 0x7d || char === 0x5d) open -= 1;
  }
  return { members, depth };
}

/** The index of the closing quote, or the end of the text where there is none (JSON.parse will say so). */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escapes = 0;
    while (text.charCodeAt(quote - 1 - escapes) === 0x5c) escapes += 1;
    if (escapes % 2 === 0) return quote;
  }
  return text.length;
}

/** Checks every value below `root` and counts the members. Recursion is bounded by the depth that was checked before. */
function inspect(root: unknown): number {
  if (typeof root === 'string') checkText(root);
  if (typeof root === 'number') checkNumber(root);
  if (typeof root !== 'object' || root === null) return 0;
  if (Array.isArray(root)) return root.reduce<number>((sum, item) => sum + inspect(item), 0);
  let members = 0;
  for (const [name, value] of Object.entries(root)) {
    if (RESERVED.has(name)) throw new Problem('malformed', `The name "${name}" is not allowed in the JSON.`);
    checkText(name);
    members += 1 + inspect(value);
  }
  return members;
}

function checkText(text: string): void {
  if (!text.isWellFormed()) throw new Problem('malformed', 'A string in the JSON has a surrogate without its other half.');
}

function checkNumber(value: number): void {
  if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
    throw new Problem('malformed', 'A number in the JSON is too large to be kept exactly.');
  }
}
