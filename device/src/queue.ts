/**
 * The durable queue: everything that was recorded and has no final verdict yet, on disk. What `append` resolved for survives
 * kill -9 and a power cut. Nothing leaves it but by `finish`; when it is full it refuses instead of dropping.
 *
 * Order of effects: frames are written, then synced (with the directory, when the file is new), then `append` resolves. Acks
 * are written after the verdict and not synced: losing one means sending once more, which the service answers `duplicate`. A
 * segment is deleted when all of it is done, its acks after it: acks without their segment belong to nothing.
 */
import { randomBytes } from 'node:crypto';
import { appendFile, type FileHandle, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { type DirectoryLock, lockDirectory } from './directory-lock.ts';
import { DeviceError, messageOf } from './errors.ts';
import {
  ackRecords,
  addEntry,
  emptySegment,
  FRAME_HEADER_BYTES,
  frameOf,
  loadSegment,
  MAX_ENTRY_BYTES,
  markDone,
  parseSegmentName,
  readEntries,
  type Segment,
  segmentName,
} from './segment.ts';

export interface QueueOptions {
  readonly directory: string;
  /** Bytes on disk that the queue may take; 1 GiB. */
  readonly maxBytes?: number;
  /** Size at which a new segment is begun; 1 MiB. */
  readonly segmentBytes?: number;
  /** Told in a sentence about anything that is not as it should be and that the queue lives with. */
  readonly onWarning?: (message: string) => void;
  /** Opens files for writing; tests put failing disks here. */
  readonly openFile?: (file: string, flags: string) => Promise<FileHandle>;
}

export interface QueueEntry {
  /** Rises with every entry of this queue, over restarts too. */
  readonly number: number;
  readonly text: string;
}

interface Waiting {
  readonly frame: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const GROUP_BYTES = 1024 * 1024;

export class DurableQueue {
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #segmentBytes: number;
  readonly #warn: (message: string) => void;
  readonly #openFile: (file: string, flags: string) => Promise<FileHandle>;
  readonly #lock: DirectoryLock;
  /** Oldest first. */
  readonly #segments: Segment[] = [];
  #current: { readonly segment: Segment; readonly handle: FileHandle } | null = null;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #bytes = 0;
  #writing: Promise<void> | null = null;
  #nextNumber = 1;
  #failure: unknown = null;
  #closed = false;

  private constructor(options: QueueOptions, lock: DirectoryLock) {
    this.#directory = options.directory;
    this.#maxBytes = options.maxBytes ?? 1024 ** 3;
    // A quarter at most: a finished segment that is still written to must not make the queue full by itself.
    this.#segmentBytes = Math.min(options.segmentBytes ?? 1024 * 1024, this.#maxBytes / 4);
    this.#warn = options.onWarning ?? (() => {});
    this.#openFile = options.openFile ?? open;
    this.#lock = lock;
  }

  /** @throws DeviceError `queue_locked`, or the file system's error where the directory cannot be read or made. */
  static async open(options: QueueOptions): Promise<DurableQueue> {
    await mkdir(options.directory, { recursive: true });
    const lock = await lockDirectory(options.directory);
    try {
      const queue = new DurableQueue(options, lock);
      await queue.#load();
      return queue;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  async #load(): Promise<void> {
    const names = (await readdir(this.#directory)).sort();
    const files = names.map((file) => ({ file, parsed: parseSegmentName(file) }));
    const segments = files.filter(({ parsed }) => parsed?.kind === 'seg');
    for (const { file, parsed } of files) {
      if (parsed?.kind === 'ack' && !names.includes(`${file.slice(0, -4)}.seg`)) await unlink(path.join(this.#directory, file));
    }
    for (const [i, { file, parsed }] of segments.entries()) {
      if (!parsed) continue;
      const base = path.join(this.#directory, file.slice(0, -4));
      const segment = await loadSegment(base, parsed.first, parsed.id, i === segments.length - 1);
      if (segment.damaged) this.#warn(`${base}.seg is damaged; whole entries are still sent and the file is kept as .damaged`);
      // A damaged segment may have held more entries than were found: numbers only have to rise.
      this.#nextNumber = Math.max(this.#nextNumber, segment.first + segment.offsets.length);
      this.#segments.push(segment);
      this.#bytes += segment.length;
    }
    for (const segment of this.#segments.slice()) await this.#removeIfDone(segment);
  }

  /** Entries without a final verdict. */
  get size(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.live, 0);
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#bytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /**
   * Resolves when the entry is durable; calls made together share one sync.
   * @throws DeviceError `queue_full` (limit reached) or `queue_write_failed` (the disk took nothing): the entry is not kept.
   *   `queue_failed`: the disk failed in a way that leaves open whether it is kept; close the queue and open it again.
   */
  append(text: string): Promise<void> {
    const frame = frameOf(Buffer.from(text, 'utf8'));
    if (this.#closed) return Promise.reject(new DeviceError('closed', 'the queue is closed'));
    if (frame.length > MAX_ENTRY_BYTES) {
      return Promise.reject(new DeviceError('invalid_play', `a log of ${frame.length} bytes; ${MAX_ENTRY_BYTES} are the most`));
    }
    if (this.#bytes + this.#waitingBytes + frame.length > this.#maxBytes) {
      const message = `the queue holds ${this.size} logs and its limit of ${this.#maxBytes} bytes; connect the device or raise the limit`;
      return Promise.reject(new DeviceError('queue_full', message));
    }
    return this.#enqueue(frame);
  }

  #enqueue(frame: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ frame, resolve, reject });
      this.#waitingBytes += frame.length;
      this.#writing ??= this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      let bytes = 0;
      let count = 0;
      for (const { frame } of this.#waiting) {
        if (count > 0 && bytes + frame.length > GROUP_BYTES) break;
        bytes += frame.length;
        count += 1;
      }
      const group = this.#waiting.splice(0, count);
      let failure: unknown = null;
      try {
        await this.#writeGroup(group);
      } catch (error) {
        failure = error;
      }
      this.#waitingBytes -= bytes;
      for (const { resolve, reject } of group) {
        if (failure === null) resolve();
        else reject(failure);
      }
    }
    this.#writing = null;
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    if (this.#failure !== null) {
      throw new DeviceError('queue_failed', `the queue failed before (${messageOf(this.#failure)}); close it and open it again`);
    }
    let current: { readonly segment: Segment; readonly handle: FileHandle };
    try {
      current = await this.#segmentForWriting();
    } catch (error) {
      throw new DeviceError('queue_write_failed', `the queue cannot be written (${messageOf(error)}); make room on the disk`, error);
    }
    const { segment, handle } = current;
    try {
      await writeFully(handle, Buffer.concat(group.map(({ frame }) => frame)), segment.length);
      await handle.datasync();
    } catch (error) {
      await this.#undo(current, error);
      throw new DeviceError('queue_write_failed', `the queue cannot be written (${messageOf(error)}); make room on the disk`, error);
    }
    for (const { frame } of group) {
      addEntry(segment, segment.length + FRAME_HEADER_BYTES, frame.length - FRAME_HEADER_BYTES);
      segment.length += frame.length;
      this.#bytes += frame.length;
      this.#nextNumber += 1;
    }
  }

  /** Takes back what a failed write may have left, so that "not kept" is true. */
  async #undo({ segment, handle }: { segment: Segment; handle: FileHandle }, cause: unknown): Promise<void> {
    try {
      await handle.truncate(segment.length);
      await handle.datasync();
    } catch (error) {
      this.#failure = error;
      throw new DeviceError('queue_failed', `the queue's disk failed (${messageOf(cause)}); close the queue and open it again`, cause);
    }
  }

  async #segmentForWriting(): Promise<{ readonly segment: Segment; readonly handle: FileHandle }> {
    if (this.#current && this.#current.segment.length < this.#segmentBytes) return this.#current;
    const id = randomBytes(4).toString('hex');
    const segment = emptySegment(path.join(this.#directory, segmentName(this.#nextNumber, id)), this.#nextNumber, id);
    const handle = await this.#openFile(`${segment.path}.seg`, 'wx+');
    try {
      await syncDirectory(this.#directory);
    } catch (error) {
      await handle.close();
      await unlink(`${segment.path}.seg`);
      throw error;
    }
    const previous = this.#current;
    this.#current = { segment, handle };
    this.#segments.push(segment);
    if (previous) {
      await previous.handle.close();
      await this.#removeIfDone(previous.segment);
    }
    return this.#current;
  }

  /** The first entries from `from` on that have no final verdict, at most `maxEntries` and `maxBytes` (but one in any case). */
  async read(from: number, maxEntries: number, maxBytes: number): Promise<QueueEntry[]> {
    const found: QueueEntry[] = [];
    let bytes = 0;
    for (const segment of this.#segments.slice()) {
      if (segment.live === 0 || segment.first + segment.offsets.length <= from) continue;
      const places: number[] = [];
      let full = false;
      for (let place = Math.max(0, from - segment.first); place < segment.offsets.length && !full; place += 1) {
        if (segment.done[place] !== 0) continue;
        const length = segment.lengths[place] as number;
        full = found.length + places.length >= maxEntries || (found.length + places.length > 0 && bytes + length > maxBytes);
        if (full) break;
        places.push(place);
        bytes += length;
      }
      const texts = await readEntries(segment, places);
      for (const [i, text] of texts.entries()) {
        const place = places[i] as number;
        if (text === null) this.#setAside(segment, place);
        else found.push({ number: segment.first + place, text });
      }
      if (full) break;
    }
    return found;
  }

  #setAside(segment: Segment, place: number): void {
    segment.damaged = true;
    markDone(segment, place);
    this.#warn(`entry ${segment.first + place} in ${segment.path}.seg is damaged and cannot be sent; the file is kept as .damaged`);
  }

  /** Takes entries that have their final verdict out of the queue. Numbers that are not there are ignored. */
  async finish(numbers: readonly number[]): Promise<void> {
    const bySegment = new Map<Segment, number[]>();
    for (const number of numbers) {
      const segment = this.#segments.findLast((candidate) => candidate.first <= number);
      if (!segment || !markDone(segment, number - segment.first)) continue;
      const places = bySegment.get(segment) ?? [];
      places.push(number - segment.first);
      bySegment.set(segment, places);
    }
    await this.#sealIfDone();
    for (const [segment, places] of bySegment) {
      try {
        if (!(await this.#removeIfDone(segment))) await appendFile(`${segment.path}.ack`, ackRecords(segment, places));
      } catch (error) {
        // On a full disk the verdict is known in memory only; after a restart these logs are sent once more.
        this.#warn(`a verdict could not be written down (${messageOf(error)}); its log may be sent again after a restart`);
      }
    }
  }

  /** A segment of full size in which nothing is left need not wait for the next write to go. */
  async #sealIfDone(): Promise<void> {
    const current = this.#current;
    if (!current || this.#writing || this.#closed || current.segment.live > 0 || current.segment.length < this.#segmentBytes) return;
    this.#current = null;
    await current.handle.close();
  }

  async #removeIfDone(segment: Segment): Promise<boolean> {
    if (segment.live > 0 || segment === this.#current?.segment) return false;
    const at = this.#segments.indexOf(segment);
    if (at < 0) return true;
    this.#segments.splice(at, 1);
    this.#bytes -= segment.length;
    if (segment.damaged) await rename(`${segment.path}.seg`, `${segment.path}.damaged`);
    else await unlink(`${segment.path}.seg`);
    await unlink(`${segment.path}.ack`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    return true;
  }

  /**
   * Moves the few live entries of mostly finished segments to the end, so that logs which are refused for now do not keep
   * whole segments on disk. Works only when the queue is more than half full, and must not run while entries are being sent:
   * they get new numbers. A crash in between leaves an entry twice; both have the same log_id.
   */
  async compact(): Promise<void> {
    if (this.#bytes * 2 < this.#maxBytes) return;
    for (const segment of this.#segments.slice()) {
      if (segment === this.#current?.segment || segment.damaged || segment.live * 4 > segment.offsets.length) continue;
      const entries = await this.read(segment.first, segment.live, Number.MAX_SAFE_INTEGER);
      const own = entries.filter(({ number }) => number < segment.first + segment.offsets.length);
      // Past the limit for a moment: a full queue could not be made smaller otherwise.
      await Promise.all(own.map(({ text }) => this.#enqueue(frameOf(Buffer.from(text, 'utf8')))));
      await this.finish(own.map(({ number }) => number));
    }
  }

  /** Waits for running writes. Everything not finished is there at the next open. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writing;
    await this.#current?.handle.close();
    await this.#lock.release();
  }
}

async function writeFully(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

/** A new file's name is durable only when its directory was synced; some systems do not let directories be opened. */
async function syncDirectory(directory: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(directory, 'r');
  } catch (error) {
    if (process.platform === 'win32') return;
    throw error;
  }
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
