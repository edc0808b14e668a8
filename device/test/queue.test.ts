import { spawn } from 'node:child_process';
import { appendFile, type FileHandle, open, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DurableQueue, type QueueEntry, type QueueOptions } from '../src/queue.ts';
import { temporaryDirectory } from './support/temporary.ts';

const ALL = [0, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] as const;

async function textsOf(queue: DurableQueue): Promise<string[]> {
  return (await queue.read(...ALL)).map(({ text }) => text);
}

async function withQueue<T>(options: QueueOptions, work: (queue: DurableQueue) => Promise<T>): Promise<T> {
  const queue = await DurableQueue.open(options);
  try {
    return await work(queue);
  } finally {
    await queue.close();
  }
}

async function filesOf(directory: string, ending: string): Promise<string[]> {
  return (await readdir(directory)).filter((file) => file.endsWith(ending)).map((file) => path.join(directory, file));
}

describe('the durable queue', () => {
  it('keeps what was appended over a restart, in order, and forgets what was finished', async () => {
    const directory = await temporaryDirectory();
    await withQueue({ directory, segmentBytes: 200 }, async (queue) => {
      await Promise.all(Array.from({ length: 50 }, (_, i) => queue.append(`log ${i} ä€😀`)));
      const entries = await queue.read(0, 1000, 1e9);
      expect(entries.map(({ number }) => number)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
      await queue.finish(entries.filter((_, i) => i % 3 !== 0).map(({ number }) => number));
    });
    await withQueue({ directory, segmentBytes: 200 }, async (queue) => {
      expect(await textsOf(queue)).toEqual(Array.from({ length: 17 }, (_, i) => `log ${i * 3} ä€😀`));
      expect(queue.size).toBe(17);
    });
  });

  it('reads from a number on, within both bounds, and at least one', async () => {
    await withQueue({ directory: await temporaryDirectory(), segmentBytes: 64 }, async (queue) => {
      for (const text of ['aaaa', 'bbbb', 'cccc', 'dddd']) await queue.append(text);
      expect((await queue.read(2, 2, 1e9)).map(({ text }) => text)).toEqual(['bbbb', 'cccc']);
      expect((await queue.read(0, 100, 8)).map(({ text }) => text)).toEqual(['aaaa', 'bbbb']);
      expect((await queue.read(3, 100, 1)).map(({ text }) => text)).toEqual(['cccc']);
      expect(await queue.read(5, 100, 1e9)).toEqual([]);
    });
  });

  it('behaves like a list, over any sequence of appends, verdicts, restarts and compactions', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ do: fc.constant('finish' as const), every: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ do: fc.constant('restart' as const) }),
      fc.record({ do: fc.constant('compact' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const options = { directory: await temporaryDirectory(), segmentBytes: 80, maxBytes: 100_000 };
        let queue = await DurableQueue.open(options);
        let model: string[] = [];
        let made = 0;
        for (const now of steps) {
          if (now.do === 'append') {
            const texts = Array.from({ length: now.count }, () => `entry ${made++}`);
            await Promise.all(texts.map((text) => queue.append(text)));
            model.push(...texts);
          } else if (now.do === 'finish') {
            const entries: QueueEntry[] = await queue.read(...ALL);
            await queue.finish(entries.filter((_, i) => i % now.every === 0).map(({ number }) => number));
            const gone = new Set(entries.filter((_, i) => i % now.every === 0).map(({ text }) => text));
            model = model.filter((text) => !gone.has(text));
          } else if (now.do === 'restart') {
            await queue.close();
            queue = await DurableQueue.open(options);
          } else await queue.compact();
          expect((await textsOf(queue)).toSorted()).toEqual(model.toSorted());
        }
        await queue.close();
      }),
      { numRuns: 25 },
    );
  });

  it('refuses when it is full, keeps what it has, and takes more after verdicts', async () => {
    await withQueue({ directory: await temporaryDirectory(), maxBytes: 300, segmentBytes: 100 }, async (queue) => {
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => queue.append(`log ${String(i).padStart(20)}`)));
      const kept = outcomes.filter(({ status }) => status === 'fulfilled').length;
      expect(kept).toBeGreaterThan(3);
      expect(outcomes[19]).toMatchObject({ status: 'rejected', reason: { code: 'queue_full' } });
      expect(await textsOf(queue)).toHaveLength(kept);
      expect(queue.bytes).toBeLessThanOrEqual(300);
      await queue.finish((await queue.read(...ALL)).map(({ number }) => number));
      await queue.append('room again');
      expect(await textsOf(queue)).toEqual(['room again']);
    });
  });

  it('deletes finished segments and moves the last entries of others when more than half full', async () => {
    const directory = await temporaryDirectory();
    await withQueue({ directory, maxBytes: 4000, segmentBytes: 400 }, async (queue) => {
      while (queue.bytes < 3900) await queue.append('a log of some length, so that ten fit');
      const entries = await queue.read(...ALL);
      await queue.finish(entries.filter((_, i) => i % 10 !== 5).map(({ number }) => number));
      const before = queue.bytes;
      await queue.compact();
      expect(queue.bytes).toBeLessThan(before / 3);
      expect(await queue.read(...ALL)).toHaveLength(entries.filter((_, i) => i % 10 === 5).length);
    });
  });

  it('has one user at a time, and takes over from a dead process', async () => {
    const directory = await temporaryDirectory();
    const queue = await DurableQueue.open({ directory });
    await expect(DurableQueue.open({ directory })).rejects.toMatchObject({ code: 'queue_locked' });
    await queue.close();
    const other = spawn(process.execPath, [path.join(import.meta.dirname, 'support/queue-child.ts'), directory, '0']);
    await new Promise((resolve) => other.stdout.once('data', resolve));
    await expect(DurableQueue.open({ directory })).rejects.toMatchObject({ code: 'queue_locked' });
    const ended = new Promise((resolve) => other.once('close', resolve));
    other.kill('SIGKILL');
    await ended;
    await (await DurableQueue.open({ directory })).close();
    // A process id that is in use again, but by a process that started at another time.
    await writeFile(path.join(directory, 'lock'), JSON.stringify({ pid: 1, started: '1' }));
    if (process.platform === 'linux') await (await DurableQueue.open({ directory })).close();
  });
});

describe('a damaged queue', () => {
  it('cuts a torn tail of any length and loses nothing before it', async () => {
    for (const garbage of [1, 7, 12, 13, 40]) {
      const directory = await temporaryDirectory();
      await withQueue({ directory }, (queue) => queue.append('kept'));
      const [file = ''] = await filesOf(directory, '.seg');
      const whole = await readFile(file);
      await appendFile(file, Buffer.concat([whole, whole]).subarray(0, garbage));
      await withQueue({ directory }, async (queue) => {
        const texts = await textsOf(queue);
        expect(texts[0]).toBe('kept');
        expect(texts).toHaveLength(garbage >= whole.length ? 1 + Math.floor(garbage / whole.length) : 1);
        await queue.append('after');
        expect((await textsOf(queue)).at(-1)).toBe('after');
      });
      expect((await readFile(file)).length % whole.length).toBe(0);
    }
  });

  it('cuts at every possible place of a write: what was written before is whole', async () => {
    const directory = await temporaryDirectory();
    await withQueue({ directory }, async (queue) => {
      for (const text of ['first', 'second', 'third']) await queue.append(text);
    });
    const [file = ''] = await filesOf(directory, '.seg');
    const whole = await readFile(file);
    const ends = [12 + 5, 24 + 11, 36 + 16];
    for (let length = whole.length; length >= 0; length -= 1) {
      await writeFile(file, whole);
      await truncate(file, length);
      const texts = await withQueue({ directory }, textsOf);
      expect(texts).toEqual(['first', 'second', 'third'].slice(0, ends.filter((end) => end <= length).length));
    }
  });

  it('finds whole entries behind flipped bytes, says so, and never deletes the file', async () => {
    const directory = await temporaryDirectory();
    await withQueue({ directory }, async (queue) => {
      for (const text of ['first', 'second', 'third']) await queue.append(text);
    });
    const [file = ''] = await filesOf(directory, '.seg');
    const bytes = await readFile(file);
    bytes[30] = (bytes[30] as number) ^ 1;
    await writeFile(file, bytes);
    const warnings: string[] = [];
    await withQueue({ directory, onWarning: (message) => warnings.push(message) }, async (queue) => {
      const entries = await queue.read(...ALL);
      expect(entries.map(({ text }) => text)).toEqual(['first', 'third']);
      await queue.finish(entries.map(({ number }) => number));
    });
    expect(warnings.join()).toContain('damaged');
    expect(await filesOf(directory, '.damaged')).toHaveLength(1);
  });

  it('believes no ack that is torn, flipped or of another segment', async () => {
    const directory = await temporaryDirectory();
    await withQueue({ directory }, async (queue) => {
      for (const text of ['first', 'second', 'third']) await queue.append(text);
      await queue.finish([1, 2]);
    });
    const [file = ''] = await filesOf(directory, '.ack');
    const bytes = await readFile(file);
    await writeFile(file, bytes.subarray(0, 13));
    expect(await withQueue({ directory }, textsOf)).toEqual(['second', 'third']);
    bytes[8] = 2;
    await writeFile(file, bytes);
    expect(await withQueue({ directory }, textsOf)).toEqual(['second', 'third']);
    await writeFile(path.join(directory, '000000000001-00000000.ack'), bytes);
    expect(await withQueue({ directory }, textsOf)).toEqual(['second', 'third']);
    expect(await filesOf(directory, '.ack')).toEqual([file]);
  });
});

/** Files whose writes and syncs fail, or are cut short, as `fault` says. */
function failing(fault: { write: boolean; sync: boolean; truncate: boolean }): QueueOptions['openFile'] {
  return async (file, flags) => {
    const handle = await open(file, flags);
    return new Proxy(handle, {
      get(target, name) {
        if (name === 'write' && fault.write) {
          return async (bytes: Buffer, offset: number, length: number, position: number) => {
            await target.write(bytes, offset, Math.floor(length / 2), position);
            throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
          };
        }
        if ((name === 'datasync' && fault.sync) || (name === 'truncate' && fault.truncate)) {
          return async () => {
            throw Object.assign(new Error(`EIO: i/o error, ${name}`), { code: 'EIO' });
          };
        }
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    }) satisfies FileHandle;
  };
}

describe('a failing disk', () => {
  it('full: refuses, keeps none of the refused and all of the others, and goes on when there is room', async () => {
    const directory = await temporaryDirectory();
    const fault = { write: false, sync: false, truncate: false };
    await withQueue({ directory, openFile: failing(fault) as NonNullable<QueueOptions['openFile']> }, async (queue) => {
      await queue.append('before');
      fault.write = true;
      const outcomes = await Promise.allSettled([queue.append('during 1'), queue.append('during 2')]);
      for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'queue_write_failed' } });
      fault.write = false;
      await queue.append('after');
    });
    expect(await withQueue({ directory }, textsOf)).toEqual(['before', 'after']);
  });

  it('a sync that fails and cannot be undone: no more is taken until the queue is opened again', async () => {
    const directory = await temporaryDirectory();
    const fault = { write: false, sync: false, truncate: false };
    await withQueue({ directory, openFile: failing(fault) as NonNullable<QueueOptions['openFile']> }, async (queue) => {
      await queue.append('before');
      fault.sync = fault.truncate = true;
      await expect(queue.append('unknown')).rejects.toMatchObject({ code: 'queue_failed' });
      fault.sync = fault.truncate = false;
      await expect(queue.append('later')).rejects.toMatchObject({ code: 'queue_failed' });
      expect(await textsOf(queue)).toEqual(['before']);
    });
    expect((await withQueue({ directory }, textsOf))[0]).toBe('before');
  });
});

describe('kill -9', () => {
  it('loses nothing that was acknowledged, over many cycles', async () => {
    const directory = await temporaryDirectory();
    const expected = new Set<string>();
    let first = 0;
    for (let cycle = 0; cycle < 20; cycle += 1) {
      const child = spawn(process.execPath, [path.join(import.meta.dirname, 'support/queue-child.ts'), directory, String(first)]);
      let told = '';
      let errors = '';
      child.stderr.on('data', (chunk: Buffer) => {
        errors += chunk.toString();
      });
      const ended = new Promise((resolve) => child.once('close', resolve));
      await new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk: Buffer) => {
          told += chunk.toString();
          resolve();
        });
        child.once('close', () => resolve());
      });
      await new Promise((resolve) => setTimeout(resolve, (cycle * 37) % 60));
      child.kill('SIGKILL');
      await ended;
      expect(errors).toBe('');
      const numbers = told.split('\n').slice(0, -1);
      expect(numbers.length).toBeGreaterThan(0);
      for (const number of numbers) expected.add(number);
      first = Math.max(first, ...numbers.map(Number)) + 100;
      await withQueue({ directory, segmentBytes: 4096 }, async (queue) => {
        const entries = await queue.read(...ALL);
        const ids = entries.map(({ text }) => (JSON.parse(text) as { log_id: string }).log_id);
        expect(new Set(ids).size).toBe(ids.length);
        const there = new Set(ids);
        expect([...expected].filter((id) => !there.has(id))).toEqual([]);
        // Some get their verdict, also some of which nobody was told.
        const done = entries.filter((_, i) => (i * 7 + cycle) % 3 === 0);
        await queue.finish(done.map(({ number }) => number));
        for (const entry of done) expected.delete((JSON.parse(entry.text) as { log_id: string }).log_id);
      });
    }
    expect(expected.size).toBeGreaterThan(20);
  });
});
