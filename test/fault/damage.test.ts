/**
 * I1, I4: bytes change while the service is down. Whatever was hit, nothing acknowledged is missing in silence: the start refuses with
 * a sentence, or reading says so, or the audit does.
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { call } from '../support/http.ts';
import { tellDifferences, tellFigure } from '../support/figures.ts';
import { Load, randomFrom } from '../support/load.ts';
import { isAcknowledged } from '../support/ledger.ts';
import { copyDifferences, waitComplete } from '../support/oracle.ts';
import { importWorld, makeWorld, type World } from '../support/registry.ts';
import { ADMIN_TOKEN, type Service } from '../support/service.ts';
import { announceSeed, scaled, Stage } from './stage.ts';

const seed = announceSeed();
const random = randomFrom(seed);
/** Files harmed, one after the other. */
const ROUNDS = 5;
const PAGE = 4_096;
/** Of a page overwritten with noise. */
const NOISE = 512;

let world: World;
let stage: Stage;

beforeAll(() => {
  world = makeWorld(2, { seed });
});

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.close());

function below(n: number): number {
  return Math.floor(random() * n);
}

/** Overwrites bytes at a random place. */
function overwrite(file: string, bytes: (was: Buffer) => void, length: number, from = 0): string {
  const fd = openSync(file, 'r+');
  try {
    const at = from + below(fstatSync(fd).size - length - from);
    const held = Buffer.alloc(length);
    readSync(fd, held, 0, length, at);
    bytes(held);
    writeSync(fd, held, 0, length, at);
    return `${path.basename(file)}, ${length} bytes at ${at}`;
  } finally {
    closeSync(fd);
  }
}

const flip = (was: Buffer): void => {
  was[0] = (was[0] as number) ^ (1 << below(8));
};
const noise = (was: Buffer): void => {
  for (let i = 0; i < was.length; i += 1) was[i] = below(256);
};

interface Harm {
  readonly name: string;
  readonly stop: 'kill' | 'stop';
  /** Where acknowledged logs may be gone altogether, nothing may be started over it; elsewhere reading or the audit may tell. */
  readonly atStart: boolean;
  readonly harm: (file: string) => string;
}

const HARMS: readonly Harm[] = [
  { name: 'a flipped bit of the write-ahead log', stop: 'kill', atStart: true, harm: (file) => overwrite(`${file}-wal`, flip, 1) },
  { name: 'noise in the write-ahead log', stop: 'kill', atStart: true, harm: (file) => overwrite(`${file}-wal`, noise, NOISE) },
  { name: 'a torn write-ahead log', stop: 'kill', atStart: true, harm: (file) => torn(`${file}-wal`) },
  { name: 'a flipped bit of the database', stop: 'stop', atStart: false, harm: (file) => overwrite(file, flip, 1) },
  { name: 'noise in a page of the database', stop: 'stop', atStart: false, harm: (file) => overwrite(file, noise, NOISE, PAGE) },
  { name: 'a torn database', stop: 'stop', atStart: true, harm: torn },
];

function torn(file: string): string {
  const size = below(statSync(file).size);
  truncateSync(file, size);
  return `${path.basename(file)} cut to ${size} bytes`;
}

/** A directory with some hundred acknowledged logs, left as `stop` says. */
async function filled(stop: Harm['stop']): Promise<{ data: string; load: Load }> {
  const service = await stage.start();
  await importWorld(service, world);
  const load = new Load(world, seed);
  for (let i = 0; i < 20; i += 1) await load.sendGood(service.url, 15);
  await waitComplete(service);
  await (stop === 'kill' ? service.kill() : service.stop());
  return { data: service.data, load };
}

function copyFiles(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from))
    if (statSync(path.join(from, name)).isFile()) copyFileSync(path.join(from, name), path.join(to, name));
}

/** What `playproof audit` says against the files; null where it finds nothing. */
async function auditOf(service: Service): Promise<string | null> {
  try {
    await service.command('audit', '--json', '--signatures', 'none', '--url', service.url, '--token', ADMIN_TOKEN);
    return null;
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
    if (stdout.trim() === '') {
      // Nothing was compared: then it must be because of the damage.
      expect(stderr).toMatch(/damaged|cannot be read|malformed|the service answered/i);
      return `the audit cannot be made: ${stderr.trim().slice(0, 200)}`;
    }
    expect((JSON.parse(stdout) as { clean: boolean }).clean).toBe(false);
    return 'the audit finds it';
  }
}

/** How the damage was told of; null where feed, archive and analytics hold every acknowledged log once, as it was told. */
async function noticed(service: Service, load: Load): Promise<string | null> {
  try {
    await service.ready();
  } catch {
    // It refuses, which the sentence must say.
    const { code } = await service.kill();
    expect([code, service.output]).toEqual([1, expect.stringMatching(/playproof: cannot start: .{20,}/)]);
    return 'the start refuses';
  }
  const audited = await auditOf(service);
  if (audited !== null) return audited;
  if (service.ended) return `it ended: ${service.output.slice(-200)}`;
  await waitComplete(service);
  expect(tellDifferences(load.ledger, await copyDifferences(service, load.ledger))).toEqual([]);
  for (const { logId } of load.ledger.entries().filter(isAcknowledged).slice(0, 50)) {
    expect((await call(service, `/api/v1/playback-logs/${logId}`)).status).toBe(200);
  }
  return null;
}

/** Finding a few bytes in a whole database takes most rounds. */
const CASES = scaled(HARMS, ({ atStart }) => atStart);

test.each(CASES)('$name is noticed, or harms nothing', { timeout: 300_000 }, async ({ stop, harm, atStart }) => {
  const { data, load } = await filled(stop);
  const kept = path.join(stage.dataDir, 'kept');
  copyFiles(data, kept);
  const told: (string | null)[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of readdirSync(data))
      if (!existsSync(path.join(kept, name)) && name.startsWith('playproof.')) truncateSync(path.join(data, name), 0);
    copyFiles(kept, data);
    const what = harm(path.join(data, 'playproof.db'));
    const service = stage.spawn();
    const how = await noticed(service, load);
    console.log(`${what}: ${how ?? 'nothing is missing'}`);
    told.push(how);
    if (atStart) expect(how).toBeOneOf([null, 'the start refuses']);
    await service.kill();
  }
  // Where nothing was ever noticed, nothing was ever harmed, and the test says nothing.
  const times = told.filter((how) => how !== null).length;
  tellFigure(`noticed in ${times} of ${ROUNDS} rounds`);
  expect(times).toBeGreaterThan(0);
});
