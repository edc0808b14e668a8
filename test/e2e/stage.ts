/** The real service with a fleet's plays in it, the fleet's own ledger, and a token for each role. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildLog, loadSigningKey, signLog } from '@playproof/device';
import { runFleet } from '../../src/fleet/fleet.ts';
import { type CampaignTotals, emptyTotals, type Ledger } from '../../src/fleet/ledger.ts';
import type { World } from '../../src/fleet/world.ts';
import { openForWriting, REGISTRY_FILE } from '../../src/registry/database.ts';
import { Tokens } from '../../src/registry/tokens.ts';
import type { Role } from '../../src/server/access.ts';
import { call, sendBatch } from '../support/http.ts';
import { ADMIN_TOKEN, makeDataDir, removeDataDir, Service } from '../support/service.ts';
import { waitUntil } from '../support/wait-until.ts';

/** Names as somebody might type them who means no good, or simply writes in another direction. */
export const NASTY_NAME = '<img src=x onerror=alert(1)><script>alert(2)</script>';
export const LONG_NAME = `Kampagne ${'sehr'.repeat(47)}`;
export const RTL_NAME = 'حملة الصيف \u202e 2026';
/** Plays over a whole day, for pictures with more than one hour in them. */
export const DAY_NAME = 'Áo Mưa Xanh: mùa mưa';

const PLAYS_OF_THE_DAY = 600;

export interface Stage {
  readonly service: Service;
  readonly world: World;
  readonly ledger: Ledger;
  readonly tokens: Readonly<Record<Role, string>>;
  /** Of the roles supplier and advertiser. */
  readonly supplierId: string;
  readonly advertiserId: string;
  readonly dayCampaignId: string;
  /** A log that was accepted, of the advertiser's campaign and in one of the supplier's stores. */
  readonly sharedPlay: string;
  /** A log that is neither's. */
  readonly foreignPlay: string;
  /** What the fleet's ledger says of the plays that `wanted` chooses. */
  totals(
    wanted: (play: { readonly campaignId: string; readonly supplierId: string; readonly advertiserId: string }) => boolean,
  ): CampaignTotals;
  /** The screens play on for so long, ten times a second. */
  playFor(ms: number): Promise<void>;
  close(): Promise<void>;
}

export async function setStage(): Promise<Stage> {
  buildConsole();
  const dataDir = makeDataDir();
  const service = await Service.start({ dataDir });
  const { world, ledger } = await runFleet({
    baseUrl: service.url,
    adminToken: ADMIN_TOKEN,
    seed: 'console',
    screens: 15,
    rate: 250,
    durationMs: 60_000,
    steps: 1_200,
    dir: path.join(dataDir, 'screens'),
  });
  const supplierId = world.registry.stores[0]?.supplier_id ?? '';
  const advertiserId = world.campaigns[0]?.advertiserId ?? '';
  const dayCampaignId = await addCampaigns(service, world);
  await playADay(service, world, dayCampaignId);
  await waitUntil(() => isLoaded(service, dayCampaignId));
  const owners = ownersOf(world);
  const plays = [...ledger.entries()].flatMap(({ settled, expected, behaviour, ...entry }) => {
    const owner = {
      campaignId: entry.campaignId,
      supplierId: owners.supplier.get(entry.deviceId) ?? '',
      advertiserId: owners.advertiser.get(entry.campaignId) ?? '',
    };
    return settled === 'accepted' && expected.outcome === 'accepted' && behaviour !== 'conflict' ? [{ ...entry, expected, ...owner }] : [];
  });
  const idOf = (wanted: (play: (typeof plays)[number]) => boolean): string => plays.find(wanted)?.logId ?? '';
  return {
    service,
    world,
    ledger,
    tokens: makeTokens(path.join(service.data, REGISTRY_FILE), supplierId, advertiserId),
    supplierId,
    advertiserId,
    dayCampaignId,
    sharedPlay: idOf((play) => play.supplierId === supplierId && play.advertiserId === advertiserId && play.expected.billable),
    foreignPlay: idOf((play) => play.supplierId !== supplierId && play.advertiserId !== advertiserId),
    totals: (wanted) => {
      const sum = emptyTotals();
      for (const play of plays.filter(wanted)) {
        sum.plays += 1;
        sum[play.expected.status.toLowerCase() as 'completed'] += 1;
        if (!play.expected.billable) continue;
        sum.billable += 1;
        sum.billableMs += play.durationActualMs;
      }
      return sum;
    },
    playFor: async (ms) => {
      for (const until = Date.now() + ms; Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 100))) {
        await playADay(service, world, dayCampaignId, 3 + Math.round(4 * Math.random()));
      }
    },
    close: async () => {
      await service.stop();
      removeDataDir(dataDir);
    },
  };
}

/** As `npm ci` does it, so that the tests look at the sources as they are. */
export function buildConsole(): void {
  execFileSync(process.execPath, [fileURLToPath(new URL('../../console/scripts/build.mjs', import.meta.url))], { stdio: 'pipe' });
}

function ownersOf({ registry, campaigns, lateCampaign }: World) {
  const stores = new Map(registry.stores.map(({ store_id: id, supplier_id: supplier }) => [id, supplier]));
  return {
    supplier: new Map(registry.devices.map(({ device_id: id, store_id: store }) => [id, stores.get(store) ?? ''])),
    advertiser: new Map([...campaigns, lateCampaign].map(({ campaignId, advertiserId }) => [campaignId, advertiserId])),
  };
}

function makeTokens(file: string, supplierId: string, advertiserId: string): Record<Role, string> {
  const db = openForWriting(file);
  try {
    const made = new Tokens(db, null);
    return {
      admin: ADMIN_TOKEN,
      operator: made.createToken({ role: 'operator' }),
      supplier: made.createToken({ role: 'supplier', supplierId }),
      advertiser: made.createToken({ role: 'advertiser', advertiserId }),
    };
  } finally {
    db.close();
  }
}

async function addCampaigns(service: Service, world: World): Promise<string> {
  const ids = [DAY_NAME, NASTY_NAME, LONG_NAME, RTL_NAME].map((name) => ({ name, id: randomUUID() }));
  for (const { name, id } of ids) {
    const { status } = await call(service, `/api/v1/campaigns/${id}`, {
      method: 'PUT',
      body: { advertiser_id: world.lateCampaign.advertiserId, name },
    });
    if (status !== 201) throw new Error(`the campaign ${name} was answered with ${status}`);
  }
  const [day, ...others] = ids.map(({ id }) => id);
  // One play each, so that the names stand wherever names stand.
  for (const id of others) await playADay(service, world, id, 1);
  return day ?? '';
}

/** Signed by the screens themselves, ended over the last 22 hours: few by night, many by day. */
async function playADay(service: Service, world: World, campaignId: string, plays = PLAYS_OF_THE_DAY): Promise<void> {
  const content = world.campaigns[0]?.contents[0] ?? { contentId: randomUUID(), seconds: 15 };
  const keys = world.screens.map(({ keyId, algorithm, privateKey }) => loadSigningKey(keyId, algorithm, privateKey));
  const now = Date.now();
  const logs = Array.from({ length: plays }, (_, i) => {
    const spec = world.screens[i % world.screens.length];
    const key = keys[i % keys.length];
    if (!spec || !key) throw new Error('the fleet has no screens');
    const endedAt = now - 60_000 - Math.round(((i + Math.sin(i / 40) * 30 + 30) / (PLAYS_OF_THE_DAY + 60)) * 22 * 3_600_000);
    const short = i % 9 === 4;
    const shown = short ? 5 : content.seconds;
    return signLog(
      buildLog(randomUUID(), spec.deviceId, key.keyId, {
        campaignId,
        contentId: content.contentId,
        startedAt: endedAt - shown * 1000,
        endedAt,
        durationActual: shown,
        durationExpected: content.seconds,
        status: 'COMPLETED',
        location: spec.store.location,
      }),
      key,
    ).text;
  });
  for (let at = 0; at < logs.length; at += 100) {
    const { status, text } = await sendBatch(service, `{"logs":[${logs.slice(at, at + 100).join(',')}]}`);
    if (status !== 202) throw new Error(`a batch was answered with ${status}: ${text.slice(0, 500)}`);
  }
}

async function isLoaded(service: Service, campaignId: string): Promise<boolean> {
  const sent = new Date().toISOString();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { json } = await call(service, `/api/v1/reports/plays?campaign_id=${campaignId}`);
  const { rows, complete_until: until } = json as { rows?: { plays: number }[]; complete_until?: string };
  return rows?.[0]?.plays === PLAYS_OF_THE_DAY && Date.parse(until ?? '') >= Date.parse(sent);
}
