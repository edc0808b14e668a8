/**
 * Sorts any number of entries of one length by their bytes, in bounded memory: as many as fit are sorted and written to a file, and in
 * the end these runs are merged. The file has no name, so nothing is left of it however the process ends.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export interface SpillSortOptions {
  readonly entryBytes: number;
  /** Entries that are sorted in memory at once. */
  readonly runEntries: number;
  /** Where the file goes. */
  readonly directory?: string;
}

/** The disk has no room for what has to be sorted. */
export class SpillFull extends Error {
  override readonly name = 'SpillFull';
}

interface Run {
  readonly from: number;
  readonly to: number;
}

const WRITE_BYTES = 1024 * 1024;
/** Memory for reading all runs; each gets its share, and at least so many entries. */
const READ_BYTES = 16 * 1024 * 1024;
const MIN_READ_ENTRIES = 64;

export class SpillSort {
  readonly #entryBytes: number;
  readonly #runEntries: number;
  readonly #directory: string;
  #held: Buffer;
  #count = 0;
  #fd: number | null = null;
  #end = 0;
  readonly #runs: Run[] = [];

  constructor({ entryBytes, runEntries, directory = os.tmpdir() }: SpillSortOptions) {
    this.#entryBytes = entryBytes;
    this.#runEntries = runEntries;
    this.#directory = directory;
    this.#held = Buffer.allocUnsafe(entryBytes * runEntries);
  }

  /** @param write Fills the entry's bytes at this place. @throws SpillFull */
  add(write: (target: Buffer, at: number) => void): void {
    if (this.#count === this.#runEntries) this.#spill();
    write(this.#held, this.#count * this.#entryBytes);
    this.#count += 1;
  }

  /** All entries in the order of their bytes. Each view is good until the next one; nothing may be added any more. @throws SpillFull */
  *sorted(): Generator<Buffer> {
    const size = this.#entryBytes;
    if (this.#runs.length === 0) {
      for (const place of this.#order()) yield this.#held.subarray(place * size, (place + 1) * size);
      return;
    }
    this.#spill();
    this.#held = Buffer.alloc(0);
    const share = Math.floor(READ_BYTES / this.#runs.length / size);
    const bytes = size * Math.max(MIN_READ_ENTRIES, share);
    const fd = this.#fd as number;
    const heap = new RunHeap(this.#runs.map((run) => new RunReader(fd, run, size, bytes)));
    for (let first = heap.first(); first; first = heap.next()) yield first;
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  /** Places in the order of the entries that they hold. */
  #order(): Uint32Array {
    const size = this.#entryBytes;
    const held = this.#held;
    const places = Uint32Array.from({ length: this.#count }, (_, place) => place);
    return places.sort((a, b) => held.compare(held, b * size, (b + 1) * size, a * size, (a + 1) * size));
  }

  #spill(): void {
    if (this.#count === 0) return;
    const size = this.#entryBytes;
    const fd = (this.#fd ??= this.#open());
    const from = this.#end;
    const out = Buffer.allocUnsafe(Math.max(size, WRITE_BYTES - (WRITE_BYTES % size)));
    let filled = 0;
    for (const place of this.#order()) {
      this.#held.copy(out, filled, place * size, (place + 1) * size);
      filled += size;
      if (filled === out.length) {
        this.#write(fd, out);
        filled = 0;
      }
    }
    this.#write(fd, out.subarray(0, filled));
    this.#runs.push({ from, to: this.#end });
    this.#count = 0;
  }

  #write(fd: number, bytes: Buffer): void {
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, this.#end + done);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      throw new SpillFull(
        `${this.#directory} has no room for what the audit sorts, which took ${Math.round(this.#end / 1e6)} MB so far; name a larger place with TMPDIR`,
        { cause: error },
      );
    }
    this.#end += bytes.length;
  }

  #open(): number {
    const own = mkdtempSync(path.join(this.#directory, 'playproof-audit-'));
    try {
      return openSync(path.join(own, 'sorted'), 'w+', 0o600);
    } finally {
      // The open file stays for as long as it is open.
      rmSync(own, { recursive: true, force: true });
    }
  }
}

/** One run, read in pieces. */
class RunReader {
  readonly #fd: number;
  readonly #size: number;
  readonly #to: number;
  readonly #piece: Buffer;
  #next: number;
  #at = 0;
  #filled = 0;

  constructor(fd: number, { from, to }: Run, entryBytes: number, pieceBytes: number) {
    this.#fd = fd;
    this.#size = entryBytes;
    this.#next = from;
    this.#to = to;
    this.#piece = Buffer.allocUnsafe(Math.min(pieceBytes, to - from));
    this.#fill();
  }

  /** The entry that it stands at; null behind the last. */
  get entry(): Buffer | null {
    return this.#at < this.#filled ? this.#piece.subarray(this.#at, this.#at + this.#size) : null;
  }

  advance(): void {
    this.#at += this.#size;
    if (this.#at === this.#filled) this.#fill();
  }

  #fill(): void {
    const wanted = Math.min(this.#piece.length, this.#to - this.#next);
    this.#at = 0;
    this.#filled = 0;
    while (this.#filled < wanted) {
      const got = readSync(this.#fd, this.#piece, this.#filled, wanted - this.#filled, this.#next + this.#filled);
      if (got === 0) throw new Error('the file of sorted entries ends too early');
      this.#filled += got;
    }
    this.#next += wanted;
  }
}

/** The runs as a binary heap by the entries that they stand at. */
class RunHeap {
  readonly #runs: RunReader[];

  constructor(runs: RunReader[]) {
    this.#runs = runs.filter(({ entry }) => entry !== null);
    for (let place = this.#runs.length >> 1; place >= 0; place -= 1) this.#sink(place);
  }

  first(): Buffer | null {
    return this.#runs[0]?.entry ?? null;
  }

  /** Leaves the first entry behind. */
  next(): Buffer | null {
    const run = this.#runs[0];
    if (!run) return null;
    run.advance();
    if (run.entry === null) {
      const last = this.#runs.pop() as RunReader;
      if (last !== run) this.#runs[0] = last;
    }
    this.#sink(0);
    return this.first();
  }

  #sink(from: number): void {
    for (let place = from; ; ) {
      let least = place;
      for (const child of [2 * place + 1, 2 * place + 2]) if (this.#isLess(child, least)) least = child;
      if (least === place) return;
      const held = this.#runs[place] as RunReader;
      this.#runs[place] = this.#runs[least] as RunReader;
      this.#runs[least] = held;
      place = least;
    }
  }

  #isLess(a: number, b: number): boolean {
    const [one, other] = [this.#runs[a]?.entry, this.#runs[b]?.entry];
    return one !== undefined && one !== null && other !== undefined && other !== null && one.compare(other) < 0;
  }
}
