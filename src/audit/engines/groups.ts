/** Sorted entries, log by log. */
import { type Entry, ENTRY_BYTES, readEntry, SOURCES, type Source } from './entries.ts';
import { SpillSort } from './spill-sort.ts';

/** What the copies beside the archive have of one log_id. */
export interface LogGroup {
  /** Sixteen bytes. */
  readonly logId: Uint8Array;
  /** The first few of each copy, in the order of their places. */
  readonly entries: Readonly<Record<Source, readonly Entry[]>>;
  /** How many there are in all. */
  readonly counts: Readonly<Record<Source, number>>;
}

/** Entries of one log_id in one copy that are looked at one by one; further ones are counted. */
export const MAX_OF_A_LOG = 16;
/** 184 000 entries: some 17 MB. */
const RUN_ENTRIES = 184_000;

export class Collected {
  readonly #sort: SpillSort;

  constructor(runEntries = RUN_ENTRIES, directory?: string) {
    this.#sort = new SpillSort({ entryBytes: ENTRY_BYTES, runEntries, ...(directory !== undefined && { directory }) });
  }

  /** @param write One of the entries' writers, such as `writeEntry`. @throws SpillFull */
  add(write: (target: Buffer, at: number) => void): void {
    this.#sort.add(write);
  }

  groups(): Generator<LogGroup> {
    return groupsOf(this.#sort.sorted());
  }

  close(): void {
    this.#sort.close();
  }
}

const LOG_ID_BYTES = 16;

export function noEntries(
  logId: Uint8Array,
): LogGroup & { readonly entries: Record<Source, Entry[]>; readonly counts: Record<Source, number> } {
  return { logId, entries: { feed: [], analytics: [], journal: [] }, counts: { feed: 0, analytics: 0, journal: 0 } };
}

function* groupsOf(sorted: Iterable<Buffer>): Generator<LogGroup> {
  let group: ReturnType<typeof noEntries> | null = null;
  for (const bytes of sorted) {
    if (!group || bytes.compare(group.logId, 0, LOG_ID_BYTES, 0, LOG_ID_BYTES) !== 0) {
      if (group) yield group;
      group = noEntries(Uint8Array.from(bytes.subarray(0, LOG_ID_BYTES)));
    }
    const source = SOURCES[bytes[LOG_ID_BYTES] as number] as Source;
    group.counts[source] += 1;
    if (group.entries[source].length < MAX_OF_A_LOG) group.entries[source].push(readEntry(bytes));
  }
  if (group) yield group;
}
