/** The tables of the registry behind one connection, and what their errors mean. */
import type { DatabaseSync } from 'node:sqlite';
import { Problem } from '../server/problem.ts';
import { ChangeLog, SQLITE_BUSY, sqliteCode } from './database.ts';
import { busy } from './refusals.ts';
import type { Kind } from './registry.ts';
import { DeviceTable } from './sqlite-devices.ts';
import { CAMPAIGN_SHAPE, CONTENT_SHAPE, type EntryTable, ReplacedEntries, STORE_SHAPE } from './sqlite-entries.ts';
import { KeyTable } from './sqlite-keys.ts';

const SQLITE_IOERR = 10;
const SQLITE_FULL = 13;

/** Whoever calls them opens the transaction or the snapshot. */
export class RegistryTables {
  readonly entries: { readonly [K in Kind]: EntryTable<K> };
  readonly devices: DeviceTable;
  readonly keys: KeyTable;

  constructor(db: DatabaseSync) {
    const changes = new ChangeLog(db);
    this.devices = new DeviceTable(db, changes);
    this.keys = new KeyTable(db, changes);
    this.entries = {
      store: new ReplacedEntries(db, changes, STORE_SHAPE),
      device: this.devices,
      campaign: new ReplacedEntries(db, changes, CAMPAIGN_SHAPE),
      content: new ReplacedEntries(db, changes, CONTENT_SHAPE),
    };
  }
}

/** What an operator can mend is `unavailable`; everything else stays what it is. */
export function asProblem(error: unknown): unknown {
  const code = sqliteCode(error);
  if (code === SQLITE_BUSY) return busy();
  if (code === SQLITE_FULL)
    return new Problem('unavailable', 'The disk of the registry is full; make room and send again.', { retryAfter: 30 });
  if (code === SQLITE_IOERR) return new Problem('unavailable', 'The registry could not be written; look at its disk.', { retryAfter: 30 });
  return error;
}
