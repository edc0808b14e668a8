/** I3: parts of analytics that cannot be read are loaded again from the feed; no report is short of a play in silence. */
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Load } from '../support/load.ts';
import { differences, readAnalytics, waitComplete } from '../support/oracle.ts';
import { importWorld, makeWorld, type World } from '../support/registry.ts';
import { makeDataDir, removeDataDir, Service } from '../support/service.ts';
import { waitUntil } from '../support/wait-until.ts';

const LOADED_AGAIN = 'analytics was damaged and is loaded again from the feed';

let world: World;
let dataDir: string;
let service: Service;

beforeAll(() => {
  world = makeWorld(2);
});

beforeEach(() => {
  dataDir = makeDataDir();
});

afterEach(async () => {
  await service.kill();
  removeDataDir(dataDir);
});

/** Files of the largest part of the plays. */
function filesOfAPart(): string[] {
  const store = path.join(dataDir, 'data/analytics/chdb/store');
  const data = readdirSync(store, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\/\d{6}_\d+_\d+_\d+\/data\.bin$/.test(name))
    .map((name) => path.join(store, name))
    .sort((a, b) => statSync(b).size - statSync(a).size);
  const part = path.dirname(data[0] as string);
  return readdirSync(part).map((name) => path.join(part, name));
}

test.each([
  [
    'whose files are empty, as a full disk left them',
    (files: readonly string[]) => {
      for (const file of files) truncateSync(file);
    },
  ],
  [
    'with noise in its data',
    (files: readonly string[]) => {
      const file = files.find((name) => name.endsWith('data.bin')) as string;
      const bytes = readFileSync(file);
      bytes.fill(0xa5, Math.floor(bytes.length / 4), Math.floor(bytes.length / 2));
      writeFileSync(file, bytes);
    },
  ],
])('a part %s: everything is loaded again, and the copies agree', { timeout: 180_000 }, async (_, harm) => {
  service = await Service.start({ dataDir });
  await importWorld(service, world);
  const load = new Load(world, 5);
  for (let i = 0; i < 5; i += 1) await load.sendGood(service.url, 100);
  await waitComplete(service);
  await service.stop();
  harm(filesOfAPart());
  service = await Service.start({ dataDir });
  // Whoever asks meets the damage; nobody is told less than there is.
  await waitUntil(async () => {
    await readAnalytics(service).catch(() => []);
    return service.output.includes(LOADED_AGAIN);
  });
  await load.sendGood(service.url, 10);
  expect(await differences(service, load.ledger)).toEqual([]);
});
