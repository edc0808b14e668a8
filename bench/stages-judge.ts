/** The stages of a judge thread: from the bytes of a request to records, on the service's own functions. */
import { type JudgedLogs, judgeRequests } from '../src/accept/judge-request.ts';
import type { Judged } from '../src/accept/messages.ts';
import { Packer } from '../src/accept/pack.ts';
import type { RegistryView } from '../src/accept/registry-view.ts';
import type { CampaignFacts, ContentFacts, DeviceFacts } from '../src/domain/facts.ts';
import { DEFAULT_RULES } from '../src/domain/limits.ts';
import { type DecodedLog, decodeLog } from '../src/domain/playback-log.ts';
import { judge } from '../src/domain/rules.ts';
import { verifySignature } from '../src/domain/signature.ts';
import { readBatch } from '../src/domain/strict-json.ts';
import { readUsualBatch } from '../src/domain/usual-log.ts';
import { release } from '../src/memory.ts';
import { Fleet, type FleetRegistry } from './load/fleet.ts';
import { cpuMicros, type StageCost } from './stages.ts';

export interface JudgedStages {
  readonly costs: readonly StageCost[];
  /** Every batch as it would go to the writer. */
  readonly judged: readonly Judged[];
}

const SETTINGS = { rules: DEFAULT_RULES, batchLogs: 100, requireDeviceTime: false, registryMaxAgeMs: 5_000 };

export async function judgeStages(batch: number, batches: number, tell: (text: string) => void): Promise<JudgedStages> {
  const fleet = new Fleet({ seed: 2, devices: 64, ids: 'v7' });
  const view = viewOf(fleet.registry);
  const bodies = Array.from({ length: batches }, () => Buffer.from(fleet.batch(batch, []), 'latin1'));
  const logs = batch * batches;
  const receivedAt = Date.now();
  const context = { receivedAt, clockChecked: false, rules: DEFAULT_RULES };
  const costs: StageCost[] = [];
  const measure = async (name: string, work: () => unknown, inSum = true): Promise<number> => {
    tell(`stage: ${name}`);
    const micros = await cpuMicros(logs, work);
    costs.push({ name, where: 'judge', cpuMicros: micros, inSum });
    return micros;
  };

  await measure('read the usual spelling, decode, hash', () => {
    for (const body of bodies) {
      const usual = readUsualBatch(body, batch);
      if (!usual) throw new Error('the fleet does not send the usual spelling');
      release(usual.memory);
    }
  });
  // What any other spelling costs in place of that.
  await measure('read strictly: UTF-8, JSON, names, depth', () => bodies.map((body) => readBatch(body, batch)), false);
  const values = bodies.flatMap((body) => {
    const read = readBatch(body, batch);
    if (!read.ok) throw new Error(read.detail);
    return read.value.logs.map(({ value }) => value as object);
  });
  await measure('decode, canonicalise, hash', () => values.map((value) => decodeLog(value, DEFAULT_RULES)), false);
  const decoded = values.map((value) => {
    const result = decodeLog(value, DEFAULT_RULES);
    if (!result.ok) throw new Error(result.detail);
    return result.log;
  });
  const verified = await measure('verify RSA-2048', () => decoded.filter((log) => verify(log, view)));
  tell('stage: rules');
  const withVerify = await cpuMicros(logs, () => decoded.map((log) => judge(log, view.facts, context)));
  costs.push({ name: 'rules, classification, enrichment', where: 'judge', cpuMicros: Math.max(0, withVerify - verified), inSum: true });

  const requests = bodies.map((body, id) => ({ id, batch: true, at: 0, length: body.length, receivedAt, deviceTime: null }));
  const results = await judgeRequests(
    requests.map((request, i) => ({ request, body: bodies[i] as Buffer })),
    view,
    SETTINGS,
  );
  const pack = (): Judged[] =>
    requests.map((request, i) => {
      const packer = new Packer(request.length);
      packer.add(request, results[i] as JudgedLogs);
      return packer.finish(i).message;
    });
  await measure('pack: record, checksum, answer', pack);
  return { costs, judged: pack() };
}

function verify(log: DecodedLog, view: RegistryView): boolean {
  const key = view.facts.device(log.deviceId)?.keys[0];
  if (!key || !verifySignature(key, log.canonical, log.signature)) throw new Error('a signature of the fleet does not verify');
  return true;
}

interface RegistryDocument {
  readonly stores: readonly { store_id: string; supplier_id: string; region: string; location: { lat: number; lng: number } }[];
  readonly devices: readonly { device_id: string; store_id: string; keys: readonly { key_id: string; public_key: string }[] }[];
  readonly campaigns: readonly { campaign_id: string; advertiser_id: string }[];
  readonly contents: readonly { content_id: string; duration: number }[];
}

/** The fleet's registry as facts in memory. */
function viewOf(registry: FleetRegistry): RegistryView {
  const document = registry as unknown as RegistryDocument;
  const stores = new Map(
    document.stores.map((store) => [
      store.store_id,
      { storeId: store.store_id, supplierId: store.supplier_id, location: store.location, region: store.region },
    ]),
  );
  const devices = new Map<string, DeviceFacts>();
  for (const { device_id: deviceId, store_id: storeId, keys } of document.devices) {
    const store = stores.get(storeId);
    if (!store) throw new Error('a device of the fleet stands in no store');
    devices.set(deviceId, {
      deviceId,
      assignments: [{ store, active: true, since: null }],
      keys: keys.map(({ key_id: keyId, public_key: publicKey }) => ({
        keyId,
        algorithm: 'RS256',
        publicKey,
        validFrom: null,
        validUntil: null,
        compromisedAt: null,
      })),
    });
  }
  const campaigns = new Map<string, CampaignFacts>(
    document.campaigns.map(({ campaign_id: id, advertiser_id: advertiserId }) => [id, { campaignId: id, advertiserId, retiredAt: null }]),
  );
  const contents = new Map<string, ContentFacts>(
    document.contents.map(({ content_id: id, duration }) => [id, { contentId: id, durationMs: duration * 1000 }]),
  );
  return {
    facts: {
      device: (id) => devices.get(id) ?? null,
      campaign: (id) => campaigns.get(id) ?? null,
      content: (id) => contents.get(id) ?? null,
    },
    prepare: () => {},
    close: () => {},
  };
}
