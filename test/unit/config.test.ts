import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, isToken, loadConfig, readEnvironment, SETTINGS } from '../../src/config.ts';
import { DataDirInUse, DataDirLock } from '../../src/data-dir.ts';
import { DEFAULT_RULES } from '../../src/domain/limits.ts';

function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('settings', () => {
  it('have the defaults of the contract', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({ host: '127.0.0.1', port: 8080, profile: 'embedded', batchLogs: 100, adminToken: null, engines: null });
    expect(config.rules).toEqual(DEFAULT_RULES);
    expect(config.dataDir).toBe(path.resolve('data'));
    expect([...config.roles].sort()).toEqual(['accept', 'analytics', 'query', 'settle']);
    // Set and empty is not set.
    expect(loadConfig({ PLAYPROOF_HTTP_PORT: '' }).port).toBe(8080);
  });

  it('name the places of the feed that analytics may leave out', () => {
    const cluster = {
      PLAYPROOF_PROFILE: 'cluster',
      PLAYPROOF_KAFKA_BROKERS: '127.0.0.1:9092',
      PLAYPROOF_MONGODB_URL: 'mongodb://127.0.0.1',
      PLAYPROOF_CLICKHOUSE_URL: 'http://127.0.0.1',
    };
    expect(loadConfig(cluster).engines?.analyticsSkip).toEqual([]);
    expect(loadConfig({ ...cluster, PLAYPROOF_ANALYTICS_SKIP: '2/1234, 0/0' }).engines?.analyticsSkip).toEqual(['2/1234', '0/0']);
    for (const wrong of ['2', '2/', '/5', '2/-1', '2/5-9', '02/5', 'playback-logs/2/5', '2/5;3/6']) {
      expect(faultsOf({ ...cluster, PLAYPROOF_ANALYTICS_SKIP: wrong }).join()).toContain(`names "${wrong}"; it must be partition/offset`);
    }
  });

  it('are refused with every fault named at once, by the name of the variable', () => {
    const wrong = {
      PLAYPROOF_HTTP_PORT: '65536',
      PLAYPROOF_COMPLETION_THRESHOLD: '1.5',
      PLAYPROOF_MAX_AGE_SECONDS: '-1',
      PLAYPROOF_VERIFY_WORKERS: '1e1',
      PLAYPROOF_REQUIRE_CATALOGUE: 'yes',
      PLAYPROOF_LOG_LEVEL: 'loud',
      PLAYPROOF_ADMIN_TOKEN: 'short',
      PLAYPROOF_MAX_IN_FLIGHT_BYTES: '1000',
      PLAYPROOF_ROLES: 'accept',
      PLAYPROOF_MAX_AHEAD_SECOND: '600',
    };
    const faults = faultsOf(wrong);
    for (const name of Object.keys(wrong))
      expect(
        faults.filter((fault) => fault.startsWith(name)),
        name,
      ).toHaveLength(1);
    expect(faults).toHaveLength(Object.keys(wrong).length);
    expect(() => loadConfig(wrong)).toThrow(/10 faults:\n {2}- /);
  });

  it('name a role that does not exist, and only that', () => {
    expect(faultsOf({ PLAYPROOF_ROLES: 'accept, query,pay' })).toEqual([expect.stringContaining('"pay"')]);
  });

  it('take both bounds of every number, and nothing beyond', () => {
    for (const [name, setting] of Object.entries(SETTINGS)) {
      // Settings of engines that a profile does not use are not read.
      if ((setting.kind !== 'integer' && setting.kind !== 'number') || name.startsWith('PLAYPROOF_KAFKA_')) continue;
      const { min, max } = setting;
      for (const value of [min, max]) expect(faultsOf({ [name]: String(value) }), `${name}=${value}`).toEqual([]);
      for (const value of [max + 1, 'x', ' 1', '0x10', '+1', 'NaN', 'Infinity'])
        expect(faultsOf({ [name]: String(value) }), `${name}=${value}`).toHaveLength(1);
      if (min > 0) expect(faultsOf({ [name]: String(min - 1) }), name).toHaveLength(1);
      if (setting.kind === 'integer') expect(faultsOf({ [name]: `${min}.5` }), name).toHaveLength(1);
    }
  });

  it('never show a secret in a fault', () => {
    const secret = 'a secret with spaces that is no token at all';
    expect(faultsOf({ PLAYPROOF_ADMIN_TOKEN: secret }).join()).not.toContain(secret);
    expect([isToken('x'.repeat(31)), isToken('x'.repeat(32)), isToken('x'.repeat(256)), isToken('x'.repeat(257))]).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect([isToken(`${'x'.repeat(40)}ü`), isToken(`${'x'.repeat(40)} y`), isToken(`${'x'.repeat(40)}\n`)]).toEqual([false, false, false]);
  });

  it('come from .env too, and the environment wins', () => {
    const directory = mkdtempSync(path.join(os.tmpdir(), 'playproof-env-'));
    try {
      writeFileSync(path.join(directory, '.env'), 'PLAYPROOF_HTTP_PORT=9000\nPLAYPROOF_TEST_ONLY="a b"\nPATH=/nowhere\n');
      const environment = readEnvironment(directory);
      expect(environment['PLAYPROOF_HTTP_PORT']).toBe('9000');
      expect(environment['PLAYPROOF_TEST_ONLY']).toBe('a b');
      expect(environment['PATH']).toBe(process.env['PATH']);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('the lock of a data directory', () => {
  it('is held by one at a time, names the holder, and is free again afterwards', () => {
    const directory = mkdtempSync(path.join(os.tmpdir(), 'playproof-lock-'));
    try {
      const dataDir = path.join(directory, 'made', 'here');
      const lock = new DataDirLock(dataDir);
      expect(() => new DataDirLock(dataDir)).toThrow(DataDirInUse);
      expect(() => new DataDirLock(dataDir)).toThrow(new RegExp(`process ${process.pid}\\).*PLAYPROOF_DATA_DIR`));
      lock.release();
      new DataDirLock(dataDir).release();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('says so when the directory cannot be used, instead of blaming another process', () => {
    const directory = mkdtempSync(path.join(os.tmpdir(), 'playproof-lock-'));
    try {
      const file = path.join(directory, 'file');
      writeFileSync(file, 'not a directory');
      expect(() => new DataDirLock(file)).toThrow(/cannot be written .*PLAYPROOF_DATA_DIR/);
      expect(() => new DataDirLock(path.join(file, 'below'))).toThrow(/cannot be written/);
      writeFileSync(path.join(directory, 'lock'), 'this is no database, and long enough to be looked at as one'.repeat(20));
      expect(() => new DataDirLock(directory)).toThrow(/cannot be written/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
