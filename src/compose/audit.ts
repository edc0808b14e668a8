/**
 * The engines of an installation, opened for an audit: by itself where the service is stopped, beside it where it runs. Then
 * analytics is asked over HTTP, because only one process can have it.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { EmbeddedAnalytics } from '../analytics/embedded/process.ts';
import { SqlAnalyticsCopy } from '../audit/analytics-sql.ts';
import { AuditImpossible, HttpAnalyticsCopy } from '../audit/http-analytics.ts';
import type { AnalyticsCopy, ArchiveCopy, FeedCopy } from '../audit/ports.ts';
import type { KeyLookup } from '../audit/recheck.ts';
import { SqliteCopies } from '../audit/sqlite-copies.ts';
import type { Config } from '../config.ts';
import { DataDirInUse, DataDirLock } from '../data-dir.ts';
import type { DeviceFacts } from '../domain/facts.ts';
import { type MarkState, readMark } from '../journal/mark.ts';
import { DATABASE_FILE, MARK_FILE } from '../journal/sqlite-journal.ts';
import { openForReading } from '../journal/sqlite-schema.ts';
import { REGISTRY_FILE } from '../registry/database.ts';
import { FactReader } from '../registry/facts.ts';

/** Rows of analytics that are read at once: some 30 MB of memory. */
const ROWS_AT_ONCE = 50_000;
const STOP_MS = 8_000;
const MAX_CACHED_DEVICES = 10_000;

export interface AuditEngines {
  readonly mode: 'offline' | 'live';
  readonly copies: FeedCopy & ArchiveCopy;
  readonly analytics: AnalyticsCopy;
  readonly readMark: () => MarkState | null;
  readonly keyOf: KeyLookup;
  close(): Promise<void>;
}

export interface AuditAccess {
  /** Of the service, where one runs; null: as the settings say. */
  readonly url: string | null;
  readonly token: string | null;
}

/** @throws AuditImpossible, or another error with a sentence. */
export async function openForAudit(config: Config, access: AuditAccess): Promise<AuditEngines> {
  const { dataDir } = config;
  const file = path.join(dataDir, DATABASE_FILE);
  if (!existsSync(file))
    throw new AuditImpossible(`there is no ${file} to audit; set PLAYPROOF_DATA_DIR to the data directory of the service`);
  const lock = tryLock(dataDir);
  const closers: (() => void | Promise<void>)[] = lock ? [() => lock.release()] : [];
  const close = async (): Promise<void> => {
    for (const closer of closers.toReversed()) await closer();
  };
  try {
    const copies = new SqliteCopies(file);
    closers.push(() => copies.close());
    const { keyOf, close: closeRegistry } = openKeys(path.join(dataDir, REGISTRY_FILE));
    closers.push(closeRegistry);
    const analytics = lock ? await openAnalytics(dataDir, closers) : askService(config, access);
    return { mode: lock ? 'offline' : 'live', copies, analytics, readMark: () => readMark(path.join(dataDir, MARK_FILE)), keyOf, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function tryLock(dataDir: string): DataDirLock | null {
  try {
    return new DataDirLock(dataDir);
  } catch (error) {
    if (error instanceof DataDirInUse) return null;
    throw error;
  }
}

async function openAnalytics(dataDir: string, closers: (() => void | Promise<void>)[]): Promise<AnalyticsCopy> {
  const directory = path.join(dataDir, 'analytics');
  if (!existsSync(path.join(directory, 'chdb'))) return NOTHING_LOADED;
  const analytics = new EmbeddedAnalytics({ directory, feedFile: null, log: (message) => process.stderr.write(`analytics: ${message}\n`) });
  closers.push(() => analytics.stop(STOP_MS));
  await analytics.start();
  return new SqlAnalyticsCopy(analytics, ROWS_AT_ONCE);
}

/** Analytics that was never made: it is loaded from the feed at the next start. */
const NOTHING_LOADED: AnalyticsCopy = {
  maxRows: ROWS_AT_ONCE,
  loaded: () => Promise.resolve([]),
  stored: () => Promise.resolve([]),
  counted: () => Promise.resolve([]),
};

function askService({ dataDir, host, port, adminToken }: Config, access: AuditAccess): AnalyticsCopy {
  const token = access.token ?? adminToken;
  if (token === null) {
    throw new AuditImpossible(
      `a service uses the data directory ${dataDir}, so its analytics has to be asked over HTTP: give an administrator's token with --token or PLAYPROOF_ADMIN_TOKEN, or stop the service and audit again`,
    );
  }
  if (access.url === null && port === 0)
    throw new AuditImpossible('a service uses the data directory and listens on a port of its choice; say with --url where it listens');
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return new HttpAnalyticsCopy(access.url ?? `http://${name}:${port}`, token);
}

function openKeys(file: string): { readonly keyOf: KeyLookup; readonly close: () => void } {
  if (!existsSync(file)) return { keyOf: () => null, close: () => {} };
  const db = openForReading(file);
  const facts = new FactReader(db);
  // A key is read out of its PEM once for as long as its object lives, which costs more than a verification.
  const devices = new Map<string, DeviceFacts | null>();
  const deviceOf = (deviceId: string): DeviceFacts | null => {
    let device = devices.get(deviceId);
    if (device === undefined) {
      if (devices.size >= MAX_CACHED_DEVICES) devices.clear();
      device = facts.device(deviceId);
      devices.set(deviceId, device);
    }
    return device;
  };
  return {
    keyOf: (deviceId, keyId) => deviceOf(deviceId)?.keys.find((key) => key.keyId === keyId) ?? null,
    close: () => db.close(),
  };
}
