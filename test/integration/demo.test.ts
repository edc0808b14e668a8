import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { type DemoService, runDemo } from '../../src/demo/demo.ts';
import { run } from '../../src/main.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'playproof-demo-test-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function start(dataDir: string): Promise<DemoService> {
  const adminToken = 'a-token-of-the-demonstration-test-only';
  const service = await run(
    loadConfig({ PLAYPROOF_DATA_DIR: dataDir, PLAYPROOF_HTTP_PORT: '0', PLAYPROOF_ADMIN_TOKEN: adminToken, PLAYPROOF_LOG_LEVEL: 'error' }),
  );
  return { address: service.address, adminToken, close: () => service.close() };
}

describe('the demonstration on the real service', () => {
  it('ends with a report that equals the ledger of the fleet, every refusal as expected', async () => {
    const dir = path.join(directory, 'first');
    let text = '';
    const code = await runDemo({
      forMs: 4000,
      seed: 'test',
      screens: 4,
      rate: 150,
      dir,
      start: () => start(path.join(dir, 'data')),
      startAgain: { command: 'npm start', address: 'http://127.0.0.1:8080' },
      out: { write: (chunk) => (text += chunk) },
      signal: new AbortController().signal,
    });
    expect(text).toMatch(/all campaigns .* equal$/m);
    expect(text).not.toMatch(/NOT EQUAL|not what the contract says|undecided/);
    expect(code).toBe(0);
    expect(text).toContain('The first accepted plays');
    expect(text).toMatch(/invalid_signature +\d+/);
    expect(await readdir(path.join(dir, 'evidence'))).toHaveLength(3);
  });

  it('ends with its table when it is interrupted', async () => {
    const dir = path.join(directory, 'second');
    const interrupt = new AbortController();
    let text = '';
    const code = await runDemo({
      forMs: null,
      seed: 'test',
      screens: 2,
      rate: 100,
      dir,
      start: () => start(path.join(dir, 'data')),
      out: {
        write(chunk) {
          text += chunk;
          if (chunk.includes('COMPLETED')) interrupt.abort();
        },
      },
      signal: interrupt.signal,
    });
    expect(text).toMatch(/all campaigns .* equal$/m);
    expect(code).toBe(0);
  });
});
