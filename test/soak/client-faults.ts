/** What clients and administrators do wrong or all at once; the same on every profile. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { call, type Call } from '../support/http.ts';
import { LogSource } from '../support/log-source.ts';
import type { World } from '../support/registry.ts';
import type { SignedLog } from '../support/signing.ts';
import type { Admin } from './admin.ts';
import type { KeyRing } from './keys.ts';
import type { Dice } from './schedule.ts';
import type { Fault } from './stage.ts';
import type { SteadyLoad } from './steady-load.ts';

export interface ClientFaultsOptions {
  readonly world: World;
  readonly keys: KeyRing;
  readonly admin: Admin;
  readonly load: SteadyLoad;
  /** Where the next request goes: one node after the other where there are several. */
  readonly url: () => string | null;
  /** Makes log ids. */
  readonly logId: () => string;
}

const SENDERS = 8;
const STORM_LOGS = 2_000;
const RIVALS = 20;
const MAX_BATCH = 100;
const SLOW_SOCKETS = 300;
const JUNK_ROUNDS = 3;
const JUNK_TIMEOUT_MS = 15_000;
const MEBIBYTE = 1024 * 1024;

export function clientFaults(options: ClientFaultsOptions): Fault[] {
  const { keys, admin, world } = options;
  const anyDevice = (dice: Dice): number => dice.below(world.devices.length);
  return [
    { name: 'duplicate-storm', run: (dice) => duplicateStorm(options, dice) },
    { name: 'conflict-storm', run: (dice) => conflictStorm(options, dice) },
    { name: 'slow-clients', run: (dice) => slowClients(options, dice) },
    { name: 'junk', run: () => junk(options) },
    { name: 'rotate-key', run: (dice) => keys.rotate(admin, anyDevice(dice)) },
    { name: 'compromise-key', run: (dice) => keys.compromise(admin, anyDevice(dice)) },
    {
      name: 'move-device',
      run: async (dice) => {
        const { deviceId } = dice.oneOf(world.devices);
        await admin.put(`/api/v1/devices/${deviceId}`, { store_id: dice.oneOf(world.stores).storeId });
      },
    },
  ];
}

/** Logs of these clients' own, by the dice of the fault. */
export function sourceOf({ world, keys, logId }: Pick<ClientFaultsOptions, 'world' | 'keys' | 'logId'>, dice: Dice): LogSource {
  return new LogSource(world, dice.random, { keyAt: (device, endedAt) => keys.keyAt(device, endedAt), logId });
}

/** One log some thousand times, alone and in batches, through all nodes at once. */
async function duplicateStorm(options: ClientFaultsOptions, dice: Dice): Promise<void> {
  const log = sourceOf(options, dice).good();
  let left = STORM_LOGS;
  await everybody(async () => {
    while (left > 0) {
      const count = Math.min(left, dice.chance(0.8) ? 1 : 1 + dice.below(MAX_BATCH));
      left -= count;
      await send(
        options,
        Array.from({ length: count }, () => log),
      );
    }
  });
}

/** Other contents and other screens under one log_id, all at once. */
async function conflictStorm(options: ClientFaultsOptions, dice: Dice): Promise<void> {
  const source = sourceOf(options, dice);
  const first = source.good();
  const all = [first, ...Array.from({ length: RIVALS }, () => source.conflict(first))];
  await Promise.all(all.flatMap((log) => [send(options, [log]), send(options, [log, first])]));
  await send(options, all.toReversed());
}

async function everybody(one: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: SENDERS }, one));
}

async function send({ load, url }: ClientFaultsOptions, logs: readonly SignedLog[]): Promise<void> {
  const to = url();
  if (to === null) await sleep(100);
  else await load.send(to, logs);
}

/** Hundreds of sockets at a byte a second, for some seconds. */
async function slowClients({ url }: ClientFaultsOptions, dice: Dice): Promise<void> {
  const to = url();
  if (to === null) return;
  const file = fileURLToPath(new URL('../fault/slow-sockets.ts', import.meta.url));
  const child = spawn(process.execPath, [file, new URL(to).port, String(SLOW_SOCKETS)], { stdio: ['pipe', 'ignore', 'ignore'] });
  const ended = once(child, 'exit');
  await sleep(dice.between(2_000, 8_000));
  child.kill('SIGKILL');
  await ended;
}

const BATCH = '/api/v1/playback-logs/batch';
const JUNK: readonly (() => Call)[] = [
  () => ({ body: `[${'{"a":['.repeat(20_000)}` }),
  () => ({ body: Buffer.alloc(2 * MEBIBYTE + 1, 'x') }),
  () => ({ body: JSON.stringify(Array.from({ length: 101 }, (_, i) => ({ log_id: i }))) }),
  () => ({ body: '{"logs":[],"logs":[]}' }),
  () => ({ body: Buffer.from([0x5b, 0x22, 0xff, 0xfe, 0x22, 0x5d]) }),
  () => ({ body: '[{"__proto__":{"log_id":1}},{"log_id":1e999}]' }),
  () => ({ body: gzipSync(Buffer.alloc(MEBIBYTE)), headers: { 'content-encoding': 'gzip' } }),
];

/** Each is answered 4xx, or its logs are refused one by one; a broken connection says nothing. */
async function junk({ url, load }: ClientFaultsOptions): Promise<void> {
  for (let round = 0; round < JUNK_ROUNDS; round += 1) {
    await Promise.all(
      JUNK.map(async (one, i) => {
        const to = url();
        if (to === null) return;
        const answer = await call(to, BATCH, { ...one(), token: null, timeoutMs: JUNK_TIMEOUT_MS }).catch(() => null);
        if (answer && answer.status !== 503 && answer.status !== 207 && (answer.status < 400 || answer.status >= 500)) {
          load.fail(`junk ${i} was answered ${answer.status}: ${answer.text.slice(0, 300)}`);
        }
      }),
    );
  }
}

const PRESSED_BATCHES = 10;

/** Many large batches at once until the instant (performance.now); repeats weigh as much, and cost no signature. */
export async function press(options: ClientFaultsOptions, dice: Dice, until: number): Promise<void> {
  const source = sourceOf(options, dice);
  const batches = Array.from({ length: PRESSED_BATCHES }, () => Array.from({ length: MAX_BATCH }, () => source.good()));
  let turn = 0;
  await everybody(async () => {
    while (performance.now() < until) {
      turn += 1;
      await send(options, batches[turn % PRESSED_BATCHES] as SignedLog[]);
    }
  });
}
