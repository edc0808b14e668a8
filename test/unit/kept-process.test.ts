import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KeptProcess } from '../../src/kept-process.ts';
import { waitUntil } from '../support/wait-until.ts';

interface Word {
  readonly word: string;
}

const { execPath } = process;
const STOP_MS = 5_000;

let directory: string;
let kept: KeptProcess<Word, Word> | null;
let log: string[];
let heard: string[];

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'playproof-kept-'));
  kept = null;
  log = [];
  heard = [];
});

afterEach(async () => {
  process.execPath = execPath;
  await kept?.stop({ word: 'stop' }, STOP_MS);
  rmSync(directory, { recursive: true });
});

function keep(entry: URL): KeptProcess<Word, Word> {
  kept = new KeptProcess<Word, Word>({
    name: 'echo',
    entry,
    onStart: () => {},
    hello: { word: 'hello' },
    onMessage: ({ word }) => heard.push(word),
    log: (message) => log.push(message),
  });
  return kept;
}

function echo(): URL {
  const file = path.join(directory, 'echo.mjs');
  writeFileSync(file, "process.on('message', (message) => (message.word === 'stop' ? process.exit(0) : process.send(message)));");
  return pathToFileURL(file);
}

test('a process that could not be started is started again, and greeted', async () => {
  process.execPath = path.join(directory, 'not-there');
  const { restarts } = keep(echo());
  expect(restarts).toBe(0);
  await waitUntil(() => log.some((line) => line.includes('started again')));
  process.execPath = execPath;
  await waitUntil(() => heard.includes('hello'));
  expect(kept?.alive).toBe(true);
});

test('what throws instead of a start is tried again too', async () => {
  keep(new URL('http://127.0.0.1/no-file'));
  expect(kept?.alive).toBe(false);
  await waitUntil(() => (kept?.restarts ?? 0) >= 2);
});

test('is stopped also just after it could not be started', async () => {
  process.execPath = path.join(directory, 'not-there');
  await keep(echo()).stop({ word: 'stop' }, STOP_MS);
  expect(log.filter((line) => line.includes('started again'))).toEqual([]);
});
