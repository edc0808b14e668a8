/** Three ways of not having the Kafka client, and what is said then. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KafkaClientUnavailable, loadKafkaClient, settled } from '../../../src/kafka/client.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'playproof-client-'));
  writeFileSync(path.join(folder, 'package.json'), '{}');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A package of that name whose entry is `code`. */
function install(code: string): void {
  const place = path.join(folder, 'node_modules/@confluentinc/kafka-javascript');
  mkdirSync(place, { recursive: true });
  writeFileSync(path.join(place, 'package.json'), '{"main":"index.js"}');
  writeFileSync(path.join(place, 'index.js'), code);
  writeFileSync(path.join(place, 'foreign.node'), 'not a library');
}

describe('the Kafka client', () => {
  it.each([
    ['absent', null, /is not installed; run `npm run engines:install/],
    ['unbuilt', 'throw new Error("Could not locate the bindings file. Tried: x")', /was not built; run `npm run engines:install/],
    ['built for something else', 'require("./foreign.node")', /does not load in Node v\d+.*built for another Node.*worker thread/],
    ['broken', 'throw new Error("some\\nother thing")', /does not load: some\. `npm run engines:install/],
    ['without a part of its own', 'require("nan-of-its-own")', /does not load: Cannot find module 'nan-of-its-own'/],
  ])('that is %s is told from others', async (_how, code, sentence) => {
    if (code !== null) install(code);
    const loading = loadKafkaClient(folder);
    await expect(loading).rejects.toThrow(KafkaClientUnavailable);
    await expect(loading).rejects.toThrow(sentence);
  });

  it('is what its package exports', async () => {
    install('module.exports = { librdkafkaVersion: "2.15.1" }');
    await expect(loadKafkaClient(folder)).resolves.toMatchObject({ librdkafkaVersion: '2.15.1' });
  });
});

describe('a call of the callback interface', () => {
  it('resolves with its value and rejects with its error', async () => {
    await expect(settled<number>((done) => done(null, 7))).resolves.toBe(7);
    const error = Object.assign(new Error('Local: Timed out'), { code: -185 });
    await expect(settled((done) => done(error, undefined))).rejects.toBe(error);
  });
});
