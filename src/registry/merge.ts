/**
 * Taking over a whole registry into one that may hold something already: with retired entries, whole histories, and what a key was
 * registered as, which an import does not carry. Nothing that stands in the target is replaced: what agrees is completed, what
 * contradicts stays as it is and is told. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { Problem } from '../server/problem.ts';
import { newOfHistory } from './history.ts';
import { addedKey, type KeptKey } from './key-rules.ts';
import type { TokenHolder } from './token-rules.ts';
import type { AssignmentEntry, CampaignFields, ContentFields, Kind, StoreFields } from './registry.ts';

export interface WholeDevice {
  readonly assignments: readonly AssignmentEntry[];
  /** In the order of registration. */
  readonly keys: readonly KeptKey[];
}

export interface WholeTypes {
  readonly store: StoreFields;
  readonly device: WholeDevice;
  readonly campaign: CampaignFields;
  readonly content: ContentFields;
}

export interface WholeEntry<K extends Kind = Kind> {
  /** Lower-case UUID. */
  readonly id: string;
  /** Milliseconds since 1970 UTC. */
  readonly retiredAt: number | null;
  readonly entry: WholeTypes[K];
}

export interface WholeToken {
  /** SHA-256 of the token, 32 bytes. */
  readonly hash: Uint8Array;
  readonly holder: TokenHolder;
  /** Made by the service at its first start. */
  readonly firstStart: boolean;
  readonly createdAt: number;
}

export type Merge = 'write' | 'look';

/** What became of entries, or would. */
export interface Taken {
  readonly added: number;
  readonly changed: number;
  readonly same: number;
  /** A sentence for each entry that stands otherwise in the target and stays so. */
  readonly conflicts: readonly string[];
  /** What was left out for a reason that is no conflict, a sentence each. */
  readonly notes: readonly string[];
}

/** As it stands in the target. */
export interface Standing<K extends Kind> {
  readonly retiredAt: number | null;
  readonly entry: WholeTypes[K];
}

export interface Merged<K extends Kind> {
  /** What it becomes; the same as before where nothing is to be written. */
  readonly after: Standing<K>;
  readonly conflicts: readonly string[];
}

export function mergeEntry<K extends Kind>(kind: K, source: WholeEntry<K>, before: Standing<K> | null): Merged<K> {
  if (before === null) return { after: { retiredAt: source.retiredAt, entry: source.entry }, conflicts: [] };
  const conflicts: string[] = [];
  const tell = (what: string): void => void conflicts.push(`${nameOf(kind, source)} ${what}`);
  if (source.retiredAt !== null && source.retiredAt !== before.retiredAt) {
    tell(
      `was retired here on ${new Date(source.retiredAt).toISOString()}, and there ${before.retiredAt === null ? 'it is not' : `on ${new Date(before.retiredAt).toISOString()}`}`,
    );
  }
  if (kind === 'device') {
    const entry = mergeDevice(source.entry as WholeDevice, before.entry as WholeDevice, tell);
    return { after: { retiredAt: before.retiredAt, entry: entry as WholeTypes[K] }, conflicts };
  }
  if (!isDeepStrictEqual(source.entry, before.entry)) tell('is registered there with something else, which stays');
  return { after: before, conflicts };
}

function mergeDevice(source: WholeDevice, before: WholeDevice, tell: (what: string) => void): WholeDevice {
  const added = told(tell, () => newOfHistory(before.assignments, source.assignments)) ?? [];
  let keys = before.keys;
  for (const key of source.keys) {
    const found = keys.find(({ keyId }) => keyId === key.keyId) ?? null;
    const merged = told(tell, () => mergeKey(found, keys.length, key));
    if (!merged || merged === found) continue;
    keys = found ? keys.map((one) => (one === found ? merged : one)) : [...keys, merged];
  }
  return { assignments: [...before.assignments, ...added], keys };
}

/** A revocation counts wherever it was said: validity is never lengthened, and the earliest compromise stands. @throws Problem */
function mergeKey(found: KeptKey | null, count: number, key: KeptKey): KeptKey {
  if (!found) {
    addedKey(null, count, key);
    return key;
  }
  // Throws where it is another key. Registered with the end that it has by now, it is still the same.
  addedKey(found, count, { ...key, validUntil: key.registeredUntil === found.registeredUntil ? key.registeredUntil : key.validUntil });
  const validUntil = earliest(found.validUntil, key.validUntil);
  const compromisedAt = earliest(found.compromisedAt, key.compromisedAt);
  return validUntil === found.validUntil && compromisedAt === found.compromisedAt ? found : { ...found, validUntil, compromisedAt };
}

function earliest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

function told<T>(tell: (what: string) => void, work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    tell(`differs there, which stays: ${error.detail.replace(/\.$/, '')}`);
    return null;
  }
}

function nameOf(kind: Kind, { id, entry }: WholeEntry): string {
  const name = 'name' in entry ? entry.name : null;
  return `the ${kind} ${id}${name === null ? '' : ` (${name})`}`;
}
