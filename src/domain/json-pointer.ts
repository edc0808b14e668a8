/** The JSON Pointer (RFC 6901) of a member of the object that `parent` points at; the whole document's pointer is empty. */
export function memberPointer(parent: string, name: string): string {
  return `${parent}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
