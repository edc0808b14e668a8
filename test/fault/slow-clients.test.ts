/** I4: thousands of clients that hardly send, and some that never read. The others do not notice. */
import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tellFigure } from '../support/figures.ts';
import { ADMIN_TOKEN, type Service } from '../support/service.ts';
import { Load } from '../support/load.ts';
import { differences } from '../support/oracle.ts';
import { importWorld, makeWorld } from '../support/registry.ts';
import { announceSeed, Stage } from './stage.ts';

const seed = announceSeed();
const SLOW = 2_000;
const REQUEST_SECONDS = 6;
const UNREAD = 40;
/** Answers that each of those asks for and does not read. */
const ASKED = 200;
const MAX_BYTES = 900 * 1024 * 1024;

interface Told {
  readonly open: number;
  readonly answered408: number;
  readonly answeredElse: number;
  readonly closedUnheard: number;
}

let stage: Stage;
let child: ChildProcess | null = null;
let sockets: net.Socket[] = [];

beforeEach(() => {
  stage = new Stage();
});

afterEach(async () => {
  child?.kill('SIGKILL');
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await stage.close();
});

function slowClients(service: Service): { told: Told } {
  const file = fileURLToPath(new URL('./slow-sockets.ts', import.meta.url));
  const state = { told: { open: 0, answered408: 0, answeredElse: 0, closedUnheard: 0 } };
  child = spawn(process.execPath, [file, new URL(service.url).port, String(SLOW)], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const last = text.trimEnd().split('\n').at(-1);
    if (last) state.told = JSON.parse(last) as Told;
  });
  return state;
}

test('2000 sockets at a byte a second are told 408 or let go, and the others are all answered', async () => {
  const world = makeWorld(2, { seed });
  const service = await stage.start({ env: { PLAYPROOF_REQUEST_TIMEOUT_SECONDS: String(REQUEST_SECONDS) } });
  await importWorld(service, world);
  const slow = slowClients(service);
  while (slow.told.open < SLOW * 0.9) await sleep(50);
  const load = new Load(world, seed);
  let sent = 0;
  let most = 0;
  while (slow.told.open > 0) {
    await load.sendGood(service.url, 10);
    sent += 10;
    most = Math.max(most, service.residentBytes());
    await sleep(10);
  }
  tellFigure(`${slow.told.answered408} answered 408, ${sent} logs of others meanwhile, at most ${Math.round(most / 1024 / 1024)} MiB`);
  const { answered408, answeredElse, closedUnheard } = slow.told;
  expect([answeredElse, answered408 + closedUnheard]).toEqual([0, SLOW]);
  expect(answered408).toBeGreaterThan(SLOW * 0.9);
  // Not one of the others was turned away or cut off.
  expect(load.ledger.summary()).toEqual({ logs: sent, acknowledged: sent });
  expect(sent).toBeGreaterThan(100);
  expect(await differences(service, load.ledger)).toEqual([]);
});

test('answers that nobody reads do not pile up, and the others are all answered', async () => {
  const world = makeWorld(2, { seed });
  const service = await stage.start();
  await importWorld(service, world);
  const load = new Load(world, seed);
  for (let i = 0; i < 10; i += 1) await load.sendGood(service.url, 100);
  const request = `GET /api/v1/feed?limit=1000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\n\r\n`;
  const { port } = new URL(service.url);
  sockets = Array.from({ length: UNREAD }, () => {
    const socket = net.connect(Number(port), '127.0.0.1');
    socket.on('error', () => socket.destroy());
    socket.pause();
    socket.write(request.repeat(ASKED));
    return socket;
  });
  let sent = 1_000;
  let most = 0;
  for (let i = 0; i < 200; i += 1) {
    await load.sendGood(service.url, 10);
    sent += 10;
    most = Math.max(most, service.residentBytes());
    await sleep(20);
  }
  tellFigure(`at most ${Math.round(most / 1024 / 1024)} MiB`);
  expect(load.ledger.summary()).toEqual({ logs: sent, acknowledged: sent });
  expect(most).toBeLessThan(MAX_BYTES);
  expect(await differences(service, load.ledger)).toEqual([]);
});
