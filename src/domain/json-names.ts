import { afterSpace, afterString } from './json-scan.ts';

const COLON = 58;
/** The largest batch that can be set, 1 000 logs, has 15 000 names; whoever sends more hurts nobody but himself. */
const MAX_RESPELLED = 15_000;

/**
 * JSON.parse, past a fault of V8 (nodejs/node#63785): after somebody sent a name with a backslash in it, a name that is spelled with an escape can
 * be read as that one, so that one client could have another's log refused. Names that need no escape are therefore written without one
 * before they are parsed. A name that needs one is no member of anything here; at worst it is refused under another such name.
 *
 * @throws SyntaxError
 */
export function parseNames(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (!text.includes('\\')) return value;
  const plain = withPlainNames(text);
  return plain === text ? value : JSON.parse(plain);
}

/** @param text Sound JSON. */
function withPlainNames(text: string): string {
  let plain = '';
  let copied = 0;
  let left = MAX_RESPELLED;
  for (let at = text.indexOf('"'); at >= 0 && left > 0; at = text.indexOf('"', at)) {
    const end = afterString(text, at);
    const written = text.slice(at, end);
    if (written.includes('\\') && text.charCodeAt(afterSpace(text, end)) === COLON) {
      left -= 1;
      const name = JSON.stringify(JSON.parse(written));
      if (!name.includes('\\')) {
        plain += text.slice(copied, at) + name;
        copied = end;
      }
    }
    at = end;
  }
  return plain + text.slice(copied);
}
