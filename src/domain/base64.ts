/**
 * The bytes of a canonical base64 text: standard alphabet, padded, zero pad bits, nothing else in it. Node's decoder also takes the
 * URL alphabet, missing padding, blanks and any pad bits; what it made of the text is therefore written back, and only the one
 * canonical spelling comes out as it went in. Both directions are vectorised, which beats a look at each character.
 *
 * @returns undefined for anything else, and for the empty text.
 */
export function decodeCanonicalBase64(text: string): Buffer | undefined {
  if (text.length === 0 || text.length % 4 !== 0) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

export function isCanonicalBase64(text: string): boolean {
  return decodeCanonicalBase64(text) !== undefined;
}
