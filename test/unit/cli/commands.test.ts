import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SETTINGS } from '../../../src/config.ts';
import { openForReading, openForWriting, REGISTRY_FILE } from '../../../src/registry/database.ts';
import { Tokens } from '../../../src/registry/tokens.ts';
import { playproof, ROOT } from './run-cli.ts';

const VECTORS = path.join(ROOT, 'test/vectors/playback-logs.json');
const ID = '018f3f3e-8a2b-7c3d-9e4f-5a6b7c8d9e0f';
let dir: string;
let env: Record<string, string>;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'playproof-cli-'));
  env = { PLAYPROOF_DATA_DIR: path.join(dir, 'data') };
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('use', () => {
  test('--help names every command, --version is that of the package', async () => {
    const help = await playproof(['--help']);
    expect(help.code).toBe(0);
    for (const command of ['start', 'demo', 'config', 'registry', 'token', 'verify', 'conformance', 'audit', 'copy', 'bench']) {
      expect(help.stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    }
    const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(await playproof(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  test.each([
    ['an unknown command', ['brew']],
    ['an unknown option', ['config', '--yaml']],
    ['an argument too many', ['config', 'all']],
    ['a missing argument', ['verify']],
    ['a missing option', ['token', 'create']],
    ['a role that is none', ['token', 'create', '--role', 'king']],
    ['a supplier without an id', ['token', 'create', '--role', 'supplier']],
    ['an id that is none', ['token', 'create', '--role', 'supplier', '--supplier', 'x']],
    ['an id for a role without', ['token', 'create', '--role', 'admin', '--supplier', ID]],
    ['a number that is none', ['demo', '--for', 'ever']],
    ['two ends of a demo', ['demo', '--for', '5', '--forever']],
    ['a threshold above one', ['verify', 'x', '--completion-threshold', '80']],
  ])('%s: a sentence and exit 2', async (_what, args) => {
    const { code, stdout, stderr } = await playproof(args, { env });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stderr.length).toBeGreaterThan(10);
  });
});

describe('config', () => {
  test('lists every setting with what it is now; secrets are masked', async () => {
    const token = 'swordfish'.repeat(4);
    const { code, stdout } = await playproof(['config', '--json'], {
      env: { ...env, PLAYPROOF_ADMIN_TOKEN: token, PLAYPROOF_HTTP_PORT: '9090' },
    });
    expect(code).toBe(0);
    expect(stdout).not.toContain('swordfish');
    const { settings, faults } = JSON.parse(stdout) as { settings: { name: string; value: string; from: string }[]; faults: string[] };
    expect(faults).toEqual([]);
    expect(settings.map(({ name }) => name)).toEqual(Object.keys(SETTINGS));
    expect(settings).toContainEqual(expect.objectContaining({ name: 'PLAYPROOF_HTTP_PORT', value: '9090', from: 'environment' }));
    const table = await playproof(['config'], { env: { ...env, PLAYPROOF_ADMIN_TOKEN: token } });
    for (const name of Object.keys(SETTINGS)) expect(table.stdout).toContain(name);
    expect(table.stdout).not.toContain('swordfish');
  });

  test('reads .env, and the environment wins', async () => {
    writeFileSync(path.join(dir, '.env'), 'PLAYPROOF_HTTP_PORT=7000\nPLAYPROOF_HTTP_HOST=::1\n');
    const { stdout } = await playproof(['config', '--json'], { cwd: dir, env: { PLAYPROOF_HTTP_PORT: '7001' } });
    const { settings } = JSON.parse(stdout) as { settings: { name: string; value: string }[] };
    expect(settings).toContainEqual(expect.objectContaining({ name: 'PLAYPROOF_HTTP_PORT', value: '7001' }));
    expect(settings).toContainEqual(expect.objectContaining({ name: 'PLAYPROOF_HTTP_HOST', value: '::1' }));
    rmSync(path.join(dir, '.env'));
  });

  test('names every fault at once and exits 1; so does start', async () => {
    const wrong = { PLAYPROOF_HTTP_PORT: 'x', PLAYPROOF_PROFILE: 'cloud', PLAYPROOF_HTP_PORT: '1' };
    for (const args of [['config'], ['start']]) {
      const { code, stderr } = await playproof(args, { env: wrong });
      expect(code).toBe(1);
      for (const name of Object.keys(wrong)) expect(stderr).toContain(name);
    }
  });
});

describe('registry import', () => {
  test('registers a file, and says what', async () => {
    const { registry } = JSON.parse(readFileSync(VECTORS, 'utf8')) as { registry: { stores: unknown[]; devices: unknown[] } };
    const file = path.join(dir, 'registry.json');
    writeFileSync(file, JSON.stringify(registry));
    const { code, stdout } = await playproof(['registry', 'import', file], { env });
    expect(code).toBe(0);
    expect(stdout).toContain(`${registry.stores.length} stores, ${registry.devices.length} devices`);
    const db = openForReading(path.join(env.PLAYPROOF_DATA_DIR ?? '', REGISTRY_FILE));
    expect(db.prepare('SELECT count(*) AS n FROM devices').get()).toEqual({ n: registry.devices.length });
    db.close();
  });

  test('names every fault and registers nothing', async () => {
    const file = path.join(dir, 'faulty.ndjson');
    writeFileSync(file, '{"type":"campaign","campaign_id":"x","advertiser_id":"y"}\n{"type":"shop"}\n');
    const { code, stderr } = await playproof(['registry', 'import', file], { env });
    expect(code).toBe(1);
    expect(stderr).toContain('campaign_id');
    expect(stderr).toMatch(/line 2|2\b/);
    expect(stderr).not.toMatch(/^\s+at .*\.ts/m);
  });

  test('a file that is not there: one sentence', async () => {
    expect(await playproof(['registry', 'import', path.join(dir, 'none')], { env })).toMatchObject({
      code: 1,
      stderr: `playproof: There is no file ${path.join(dir, 'none')}.\n`,
    });
  });
});

test('token create prints the token and nothing else; the service knows it at once', async () => {
  const { code, stdout } = await playproof(['token', 'create', '--role', 'supplier', '--supplier', ID.toUpperCase(), '--label', 'north'], {
    env,
  });
  expect(code).toBe(0);
  const db = openForWriting(path.join(env.PLAYPROOF_DATA_DIR ?? '', REGISTRY_FILE));
  expect(new Tokens(db, null).authenticate(stdout.trim())).toEqual({ role: 'supplier', supplierId: ID });
  db.close();
});

describe('conformance', () => {
  test('every case of the contract passes', async () => {
    const { cases } = JSON.parse(readFileSync(VECTORS, 'utf8')) as { cases: unknown[] };
    const { code, stdout } = await playproof(['conformance', VECTORS]);
    expect(stdout).toBe(`${cases.length} passed, 0 failed\n`);
    expect(code).toBe(0);
  });

  test('each difference is named, and the command fails', async () => {
    const vectors = JSON.parse(readFileSync(VECTORS, 'utf8')) as { cases: { name: string; expect: Record<string, unknown> }[] };
    const [first, second] = vectors.cases;
    Object.assign(first?.expect ?? {}, { status: 'PARTIAL', completion: 0.5 });
    Object.assign(second?.expect ?? {}, { nonsense: true });
    const file = path.join(dir, 'vectors.json');
    writeFileSync(file, JSON.stringify(vectors));
    const { code, stdout } = await playproof(['conformance', file]);
    expect(code).toBe(1);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toContain(`FAILED  ${first?.name}`);
    expect(lines).toContain('        status: expected "PARTIAL", got "COMPLETED"');
    expect(lines).toContain('        completion: expected 0.5, got 1');
    expect(lines).toContain('        nonsense: expected true, got nothing');
    expect(lines.at(-1)).toBe(`${vectors.cases.length - 2} passed, 2 failed`);
  });

  test.each([
    ['no JSON', 'x'],
    ['another document', '{"cases":[]}'],
    ['nothing', 'null'],
  ])('%s is no vectors file', async (_what, text) => {
    const file = path.join(dir, 'none.json');
    writeFileSync(file, text);
    const { code, stderr } = await playproof(['conformance', file]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^playproof: .*(no vectors file|not JSON)/);
  });
});

test.each([
  ['nested without end', `{"log":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ['that says a member twice', '{"log":{},"log":{}}'],
  ['that is no JSON', 'log'],
])('verify: a file %s is refused with a sentence', async (_what, text) => {
  const file = path.join(dir, 'evidence.json');
  writeFileSync(file, text);
  const { code, stdout, stderr } = await playproof(['verify', file], { env });
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain('Save the whole answer of GET /api/v1/playback-logs/{log_id}.');
  expect(stderr).not.toMatch(/stack|^\s+at /m);
});
