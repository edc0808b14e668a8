/**
 * RFC 8785 for any JSON value: members sorted by UTF-16 code units, numbers and strings as ECMAScript writes them. The fast form
 * for logs is `canonical-json.ts`; this one serves where bytes from elsewhere are held against it.
 *
 * @param value As JSON.parse gives it, of bounded depth.
 */
export function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalText(member)}`);
  return `{${members.join(',')}}`;
}
