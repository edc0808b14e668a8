/**
 * Bodies that look like playback logs and are wrong in one place or another, or in none: members are lost, doubled, renamed, respelled, given
 * the values of other members or values just beyond a bound, nested, and now and then the bytes themselves are damaged.
 */
export type Random = () => number;

type Member = [name: string, value: string];

const UUIDS = ['0197a1c0-7b5e-7c3a-9d55-2f6b8a4e1d01', '2330FCF1-562A-44B8-8866-8D77E827062C', '00000000-0000-0000-0000-000000000000'];
const INSTANTS = (
  '2026-11-20T16:29:15.250+07:00|2026-11-20T09:29:15Z|2024-02-29T23:59:59.9-23:59|2000-02-29T00:00:00-00:00|2026-02-29T00:00:00Z|' +
  '1900-02-29T00:00:00Z|2026-02-30T10:00:00Z|2026-13-01T00:00:00Z|2026-00-10T00:00:00Z|0000-01-01T00:00:00Z|0000-02-29T00:00:00Z|' +
  '0000-01-01T00:00:00+00:01|9999-12-31T23:59:59.999-00:01|9999-12-31T23:59:59.999Z|2026-11-20T24:00:00Z|2026-11-20T23:59:60Z|' +
  '2026-11-20t10:00:00Z|2026-11-20 10:00:00Z|2026-11-20T10:00:00z|2026-11-20T10:00:00|2026-11-20T10:00:00.1234Z|' +
  '2026-11-20T10:00:00.Z|2026-11-20T10:00:00+24:00|2026-11-20T10:00:00+0700|'
).split('|');
const NUMBERS = (
  '15 0 -0 -0.0 0.001 0.0005 1.001 14.96 86400 86400.001 86400.0000000000001 1e-3 8.64E4 -1 9007199254740991 9007199254740992 ' +
  '9007199254740991.4 -9007199254740993 1e16 1e400 -1E+999 1e-400 5e-324 0.1000000000000000055511151231257827 2.2250738585072011e-308 ' +
  '333333333.33333329 1e21 999999999999999.9 1e-7 1E-6 90 -90.000000000000001 90.00000000000002 180 -180.00000000000003 ' +
  '01 1. .5 +1 NaN Infinity 0x10 1e'
).split(' ');
const WORDS = ['null', 'true', 'false', '[]', '{}', '[null]', '{"lat":1}', 'nul', 'undefined', '{"lat":1e1,"lng":-0,"a/~b":0}'];
const CHARACTERS = [
  'a',
  'Z',
  '9',
  ' ',
  '/',
  '~',
  '"',
  '\\',
  '\b',
  '\n',
  '\u0000',
  '\u001f',
  '\u007f',
  'é',
  '\u2028',
  '漢',
  '\ufb33',
  '\ufeff',
  '😀',
  '\u{10ffff}',
];
const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '',
  'log_id',
  'Status',
  'lat',
  'signature',
  'ﬀ',
  '😀',
];
const SPACES = ['', '', '', ' ', '\n', '\t\r\n', '\u00a0', '\u000b', '\ufeff'];
const HALVES = ['\\ud800', '\\udc00', '\\udfff\\ud800', '\\uD83D\\uDE00'];

export class LogTexts {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): Buffer {
    const members = this.#members();
    for (let left = this.#below(4); left > 0; left -= 1) this.#mutate(members);
    let text = this.#object(members);
    if (this.#chance(0.03))
      text = this.#pick([`[${text}]`, '7', `${text}${text}`, `${text} x`, '""', '', `${text}\u0000`, `\ufeff${text}`]);
    if (this.#chance(0.02)) text = this.#padded(members);
    const bytes = Buffer.from(text);
    return this.#chance(0.1) ? this.#damaged(bytes) : bytes;
  }

  #members(): Member[] {
    const members: Member[] = [
      ...['log_id', 'device_id', 'campaign_id', 'content_id'].map((name): Member => [name, JSON.stringify(this.#uuid())]),
      ['started_at', JSON.stringify('2026-11-20T16:29:15.250+07:00')],
      ['ended_at', JSON.stringify('2026-11-20T09:29:30Z')],
      ['duration_actual', this.#decimal(86_400_000)],
      ['duration_expected', this.#decimal(86_400_000)],
      ['status', JSON.stringify(this.#pick(['COMPLETED', 'PARTIAL', 'SKIPPED', 'ERROR']))],
      ['signature', JSON.stringify(Buffer.from(this.#bytes(this.#below(300) + 1)).toString('base64'))],
    ];
    const optional = (name: string, value: string): void => {
      if (this.#chance(0.6)) members.push([name, this.#chance(0.2) ? 'null' : value]);
    };
    optional('location', `{"lat":${this.#double(90)},"lng":${this.#double(180)}}`);
    optional('screenshot_hash', JSON.stringify(`${this.#pick(['', 'sha256:'])}${Buffer.from(this.#bytes(32)).toString('hex')}`));
    optional('key_id', JSON.stringify(this.#characters(this.#pick([1, 2, 5, 63, 64, 64, 65]))));
    return members.map(([name, value]) => [JSON.stringify(name), value]);
  }

  #mutate(members: Member[]): void {
    const at = this.#below(members.length);
    const member = members[at];
    if (!member) return;
    const kind = this.#below(10);
    if (kind === 0) members.splice(at, 1);
    else if (kind === 1) members.splice(this.#below(members.length + 1), 0, [this.#respelled(member[0]), this.#value()]);
    else if (kind === 2) members.push([JSON.stringify(this.#name()), this.#value()]);
    else if (kind === 3) member[0] = this.#respelled(member[0]);
    else if (kind === 4) member[1] = this.#respelled(member[1]);
    else if (kind === 5) member[1] = this.#nested(member[1]);
    else if (kind === 6) members.reverse();
    else if (kind === 7 && this.#chance(0.3)) member[1] = `"${this.#pick(HALVES)}"`;
    else if (kind === 8) member[1] = (members[this.#below(members.length)] ?? member)[1];
    else member[1] = this.#value();
  }

  #value(): string {
    const kind = this.#below(7);
    if (kind === 0) return this.#pick(WORDS);
    if (kind === 1) return this.#pick(NUMBERS);
    if (kind === 2) return JSON.stringify(this.#pick(INSTANTS));
    if (kind === 3) return this.#double(200);
    if (kind === 4)
      return JSON.stringify(this.#pick([this.#uuid(), `${this.#uuid()}0`, 'QQ==', 'QR==', 'QQ', 'Q Q=', 'sha256:', 'completed']));
    if (kind === 5) return `{${JSON.stringify(this.#name())}:${this.#value()}}`;
    return JSON.stringify(this.#characters(this.#below(70)));
  }

  #name(): string {
    // No backslash: after a name with one, V8 may read another escaped name as that one (nodejs/node#63785; docs/security.md).
    return this.#chance(0.5) ? this.#pick(NAMES) : this.#characters(this.#below(4)).replaceAll('\\', '');
  }

  /** The same text or number in other characters, most of the time. */
  #respelled(text: string): string {
    if (text.startsWith('"')) {
      return text.replaceAll(/[a-z0-9/]/gi, (character, offset: number) => {
        if (!this.#chance(0.2) || text[offset - 1] === '\\' || /\\u[0-9a-f]{0,3}$/i.test(text.slice(0, offset))) return character;
        const code = character.charCodeAt(0).toString(16).padStart(4, '0');
        return `\\u${this.#chance(0.5) ? code : code.toUpperCase()}`;
      });
    }
    if (!/^-?[0-9.]+$/.test(text)) return text;
    return this.#pick([
      `${text}e0`,
      `${text}E+00`,
      text.includes('.') ? `${text}000` : `${text}.0`,
      `${text}0e-1`,
      Number(text).toExponential(),
    ]);
  }

  #nested(text: string): string {
    const depth = this.#below(11);
    return this.#chance(0.5) ? '['.repeat(depth) + text + ']'.repeat(depth) : '{"a":'.repeat(depth) + text + '}'.repeat(depth);
  }

  #object(members: readonly Member[]): string {
    if (this.#chance(0.7)) return `{${members.map(([name, value]) => `${name}:${value}`).join(',')}}`;
    const space = (): string => (this.#chance(0.98) ? this.#pick(SPACES.slice(0, 6)) : this.#pick(SPACES));
    const parts = members.map(([name, value]) => `${space()}${name}${space()}:${space()}${value}${space()}`);
    return `${space()}{${parts.join(',')}}${space()}`;
  }

  /** Within three bytes of the limit of a log. */
  #padded(members: readonly Member[]): string {
    const text = this.#object([...members, ['"pad"', '""']]);
    const room = 16_384 + this.#below(7) - 3 - Buffer.byteLength(text);
    const character = this.#pick(['x', 'é', '漢', '😀']);
    const count = Math.max(0, Math.floor(room / Buffer.byteLength(character)));
    const padding = character.repeat(count) + 'x'.repeat(Math.max(0, room - count * Buffer.byteLength(character)));
    return this.#object([...members, ['"pad"', `"${padding}"`]]);
  }

  #damaged(bytes: Buffer): Buffer {
    const at = this.#below(bytes.length + 1);
    const put = Buffer.from(this.#bytes(this.#below(3)));
    return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + this.#below(3))]);
  }

  #uuid(): string {
    if (this.#chance(0.05)) return this.#pick(UUIDS);
    const hex = Buffer.from(this.#bytes(16)).toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }

  #decimal(most: number): string {
    return String(this.#below(most) / 1000);
  }

  /** Any double of this magnitude or less, the tiny ones as likely as the large ones, in one of its spellings. */
  #double(most: number): string {
    const value = (this.#random() * 2 - 1) * most * 10 ** (this.#chance(0.7) ? 0 : -this.#below(320));
    return this.#pick([String(value), value.toPrecision(17), value.toExponential(), value.toFixed(this.#below(20))]);
  }

  #characters(count: number): string {
    return Array.from({ length: count }, () => this.#pick(CHARACTERS)).join('');
  }

  #bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.#below(256));
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}
