/**
 * The mark: a second small file beside `playproof.db` that says how far the journal went. A damaged or missing write-ahead log
 * makes SQLite come back with fewer rows and not say so; comparing with the mark at the start makes that loud.
 *
 * It is written after each commit and before anyone hears of it, so it is never ahead of what is durable, and after a crash of
 * the process it is exact. It is not synced each time: after a power cut it may be behind, never ahead.
 */
import { closeSync, existsSync, fdatasync, fdatasyncSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

export interface MarkState {
  readonly journalId: string;
  /** The position 'end' at the last commit. */
  readonly end: number;
  /** Whether the journal was closed in order: its write-ahead log was emptied into the file and removed. */
  readonly clean: boolean;
}

const BYTES = 64;
const CRC_AT = 60;

export class Mark {
  readonly #file: string;
  readonly #fd: number;
  readonly #bytes = Buffer.alloc(BYTES);
  #syncing = false;
  #closed = false;

  constructor(file: string, state: MarkState) {
    // The first one is made under another name: a crash in the middle must not leave a mark that looks damaged.
    const isNew = !existsSync(file);
    const made = isNew ? `${file}.new` : file;
    this.#file = file;
    this.#fd = openSync(made, isNew ? 'w+' : 'r+', 0o640);
    this.#bytes.write(state.journalId, 0, 'latin1');
    this.set(state.end, state.clean);
    this.#naming(() => fsyncSync(this.#fd));
    if (isNew) renameSync(made, file);
  }

  set(end: number, clean = false): void {
    this.#bytes.writeDoubleLE(end, 40);
    this.#bytes[48] = clean ? 1 : 0;
    this.#bytes.writeUInt32LE(crc32(this.#bytes.subarray(0, CRC_AT)), CRC_AT);
    this.#naming(() => writeSync(this.#fd, this.#bytes, 0, BYTES, 0));
  }

  sync(): void {
    this.#naming(() => fdatasyncSync(this.#fd));
  }

  /** Begins a sync that nobody waits for: appends go on meanwhile. A failure ends the thread, as one of `sync` would. */
  syncSoon(): void {
    if (this.#syncing) return;
    this.#syncing = true;
    fdatasync(this.#fd, (error) => {
      this.#syncing = false;
      if (error && !this.#closed) throw this.#named(error);
    });
  }

  close(): void {
    this.#closed = true;
    closeSync(this.#fd);
  }

  #naming(act: () => void): void {
    try {
      act();
    } catch (error) {
      throw this.#named(error);
    }
  }

  /** A fault of a file descriptor does not say of which file. */
  #named(error: unknown): Error {
    return new Error(`the mark ${this.#file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** The mark as it was left, or null where there is none. @throws Error when it is damaged. */
export function readMark(file: string): MarkState | null {
  if (!existsSync(file)) return null;
  const bytes = readFileSync(file);
  if (bytes.length !== BYTES || crc32(bytes.subarray(0, CRC_AT)) !== bytes.readUInt32LE(CRC_AT)) {
    throw new Error(
      `${file} is damaged, so it cannot be told whether the journal is whole; see docs/operations.md, "The journal is not whole"`,
    );
  }
  return { journalId: bytes.toString('latin1', 0, 36), end: bytes.readDoubleLE(40), clean: bytes[48] === 1 };
}
