/** `playproof demo`: the demonstration on a service in this process, with a data directory of its own. */
import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onStopSignal } from '../cli/signals.ts';
import { loadConfig, readEnvironment } from '../config.ts';
import { SUPPLIERS } from '../fleet/retail.ts';
import type { World } from '../fleet/world.ts';
import { run } from '../main.ts';
import { openForWriting, REGISTRY_FILE } from '../registry/database.ts';
import { Tokens } from '../registry/tokens.ts';
import type { DemoToken } from '../server/console.ts';
import { runDemo } from './demo.ts';

/** @returns the exit code. Ctrl-C ends the playing; a second one, a moment later, ends everything at once. */
export async function demo(options: { forMs: number | null; screens: number; seed: number }): Promise<number> {
  const dir = await mkdtemp(path.join(tmpdir(), 'playproof-demo-'));
  const dataDir = path.join(dir, 'data');
  const adminToken = `demo-${randomBytes(24).toString('base64url')}`;
  const { PLAYPROOF_HTTP_HOST: host, PLAYPROOF_HTTP_PORT: port = '0' } = readEnvironment();
  // Nothing else of the environment: what the fleet expects rests on the defaults.
  const config = loadConfig({
    PLAYPROOF_DATA_DIR: dataDir,
    PLAYPROOF_ADMIN_TOKEN: adminToken,
    PLAYPROOF_HTTP_HOST: host,
    PLAYPROOF_HTTP_PORT: port,
    PLAYPROOF_LOG_LEVEL: 'warn',
  });
  const tokens: DemoToken[] = [{ label: 'Administrator', role: 'admin', token: adminToken }];
  let watched = false;
  const interrupt = new AbortController();
  const release = onStopSignal(
    () => interrupt.abort(),
    () => process.exit(130),
  );
  try {
    return await runDemo({
      forMs: options.forMs,
      seed: String(options.seed),
      screens: options.screens,
      dir,
      start: async () => {
        const service = await run(config, {
          demoTokens: () => {
            watched = true;
            return tokens;
          },
        });
        return { address: service.address, adminToken, close: () => service.close() };
      },
      startAgain: {
        command: `PLAYPROOF_DATA_DIR=${dataDir} PLAYPROOF_ADMIN_TOKEN=${adminToken} npm start`,
        address: 'http://127.0.0.1:8080',
      },
      onWorld: (world) => tokens.push(...tokensFor(world, path.join(dataDir, REGISTRY_FILE))),
      isWatched: () => watched && options.forMs !== null,
      out: process.stdout,
      signal: interrupt.signal,
    });
  } finally {
    release();
  }
}

/** Whoever opens the console of the demonstration can look at it as each role: an operator, a supplier and an advertiser of the fleet. */
function tokensFor({ registry, campaigns }: World, file: string): DemoToken[] {
  const db = openForWriting(file);
  try {
    const made = new Tokens(db, null);
    const supplierId = registry.stores[0]?.supplier_id ?? '';
    const campaign = campaigns[0];
    return [
      { label: 'Operator', role: 'operator', token: made.createToken({ role: 'operator' }) },
      { label: `Supplier: ${SUPPLIERS[0]}`, role: 'supplier', token: made.createToken({ role: 'supplier', supplierId }) },
      {
        label: `Advertiser: ${campaign?.name.split(':')[0] ?? ''}`,
        role: 'advertiser',
        token: made.createToken({ role: 'advertiser', advertiserId: campaign?.advertiserId ?? '' }),
      },
    ];
  } finally {
    db.close();
  }
}
