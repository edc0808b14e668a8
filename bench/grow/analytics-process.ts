/**
 * Loads a synthetic past into analytics with the service's own loader, in larger batches, while it is being written. At the end it
 * waits until the parts are merged as far as they would be in a service that had grown slowly.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openEngine, type Engine } from '../../src/analytics/embedded/engine.ts';
import { Loader } from '../../src/analytics/loader.ts';
import { migrate } from '../../src/analytics/schema.ts';
import { ClickHouseSink } from '../../src/analytics/sink.ts';
import { SqliteFeedSource } from '../../src/feed/sqlite-source.ts';
import { DATABASE_FILE } from '../../src/journal/sqlite-journal.ts';
import type { AnalyticsOrder, GrowMessage } from './messages.ts';

const MAX_ROWS = 262_144;
const MAX_BYTES = 80 * 1024 * 1024;
const IDLE_MS = 100;
const MERGE_WAIT_MS = 120_000;
const MERGE_LOOK_MS = 1_000;
/** Looks in a row that must find no merge under way. */
const QUIET_LOOKS = 3;

async function load({ dataDir, logs }: AnalyticsOrder): Promise<void> {
  const engine = await openEngine(path.join(dataDir, 'analytics'));
  const client = engine.connect();
  await migrate(client);
  await client.close();
  const sink = new ClickHouseSink(engine.connect, engine.insertBatch);
  const source = new SqliteFeedSource(path.join(dataDir, DATABASE_FILE));
  const loader = new Loader(source, sink, { maxRows: MAX_ROWS, maxBytes: MAX_BYTES });
  while (loader.status.rowsLoaded < logs) {
    if ((await loader.step()) === 'idle') await sleep(IDLE_MS);
    tell({ type: 'loaded', logs: loader.status.rowsLoaded });
  }
  source.close();
  await sink.discard();
  await merged(engine);
  engine.close();
}

async function merged(engine: Engine): Promise<void> {
  const until = performance.now() + MERGE_WAIT_MS;
  for (let quiet = 0; quiet < QUIET_LOOKS && performance.now() < until; ) {
    const client = engine.connect();
    const result = await client.query({ query: 'SELECT toUInt32(sum(num_parts)) AS parts FROM system.merges', format: 'JSONEachRow' });
    const parts = (await result.json<{ parts: number }>())[0]?.parts ?? 0;
    await client.close();
    quiet = parts === 0 ? quiet + 1 : 0;
    tell({ type: 'merging', parts });
    await sleep(MERGE_LOOK_MS);
  }
}

function tell(message: GrowMessage): void {
  process.send?.(message);
}

process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.once('message', (order: AnalyticsOrder) => {
  load(order).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error('the synthetic past was not loaded into analytics:', error);
      process.exit(1);
    },
  );
});
