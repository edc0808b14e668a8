import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { type JudgedLogs, judgeRequests, type JudgeSettings } from '../../../src/accept/judge-request.ts';
import { Packer } from '../../../src/accept/pack.ts';
import { type FactIds, RegistryUnavailable, type RegistryView } from '../../../src/accept/registry-view.ts';
import type { CampaignFacts, ContentFacts, DeviceFacts, DeviceKey, FactSource } from '../../../src/domain/facts.ts';
import { DEFAULT_RULES } from '../../../src/domain/limits.ts';
import { formatInstant } from '../../../src/domain/timestamp.ts';
import { uuidOf } from '../../support/feed-file.ts';
import { type LogFields, makeKey, signLog } from '../../support/signing.ts';

const NOW = Date.UTC(2026, 8, 1, 12);
const DEVICE = uuidOf(2, 1);
const CAMPAIGN = uuidOf(3, 1);
const CONTENT = uuidOf(4, 1);
const key = makeKey('k1');

const registeredKey: DeviceKey = {
  keyId: 'k1',
  algorithm: 'RS256',
  publicKey: key.publicKey,
  validFrom: null,
  validUntil: null,
  compromisedAt: null,
};
const store = { storeId: uuidOf(5, 1), supplierId: uuidOf(6, 1), location: { lat: 10, lng: 106 }, region: null };

interface World {
  device: DeviceFacts | null;
  campaign: CampaignFacts | null;
  content: ContentFacts | null;
}

function world(over: Partial<World> = {}): World {
  return {
    device: { deviceId: DEVICE, assignments: [{ store, active: true, since: null }], keys: [registeredKey] },
    campaign: { campaignId: CAMPAIGN, advertiserId: uuidOf(7, 1), retiredAt: null },
    content: { contentId: CONTENT, durationMs: 15_000 },
    ...over,
  };
}

/** Shows `stale` until it is asked for facts of the last second, then `fresh`. */
class FakeView implements RegistryView {
  readonly asked: number[] = [];
  stale = world();
  fresh = this.stale;
  /** Which of the calls fail. */
  fails = new Set<number>();
  byPromise = false;
  /** What the failing calls say they lack; null: everything. */
  missing: FactIds | null = null;
  #shown: World | null = null;

  readonly facts: FactSource = {
    device: (id) => (id === DEVICE ? (this.#shown?.device ?? null) : null),
    campaign: (id) => (id === CAMPAIGN ? (this.#shown?.campaign ?? null) : null),
    content: (id) => (id === CONTENT ? (this.#shown?.content ?? null) : null),
  };

  prepare(_ids: FactIds, maxAgeMs: number): void | Promise<void> {
    this.asked.push(maxAgeMs);
    const failure = this.fails.has(this.asked.length)
      ? new RegistryUnavailable('away', this.missing ? { missing: this.missing } : {})
      : null;
    if (!failure || this.missing) this.#shown = maxAgeMs <= 1_000 ? this.fresh : this.stale;
    if (this.byPromise) return failure ? Promise.reject(failure) : Promise.resolve();
    if (failure) throw failure;
  }

  close(): void {}
}

let view: FakeView;
beforeEach(() => {
  view = new FakeView();
});

let lastId = 0;
function log(changes: LogFields = {}, signer = key): string {
  lastId += 1;
  const fields = {
    log_id: uuidOf(1, lastId),
    device_id: DEVICE,
    campaign_id: CAMPAIGN,
    content_id: CONTENT,
    started_at: formatInstant(NOW - 20_000),
    ended_at: formatInstant(NOW - 5_000),
    duration_actual: 15,
    duration_expected: 15,
    status: 'COMPLETED',
  };
  return signLog({ ...fields, ...changes }, signer).body;
}

const SETTINGS: JudgeSettings = { rules: DEFAULT_RULES, batchLogs: 100, requireDeviceTime: false, registryMaxAgeMs: 5_000 };

async function judged(text: string | Uint8Array, { batch = false, deviceTime = null as string | null, settings = SETTINGS } = {}) {
  const body = Buffer.from(text as string);
  const request = { id: 1, batch, at: 0, length: body.length, receivedAt: NOW, deviceTime };
  const [answer] = await judgeRequests([{ request, body }], view, settings);
  return answer as JudgedLogs;
}

/** The code of each log's refusal, 'accepted', or the request's problem. */
async function codes(text: string | Uint8Array, options: Parameters<typeof judged>[1] = {}): Promise<string | string[]> {
  const answer = await judged(text, options);
  if (answer.problem) return answer.problem.code;
  return answer.logs.map(({ result }) => (result.outcome === 'accepted' ? 'accepted' : result.code));
}

const batchOf = (...logs: string[]): string => `{"logs":[${logs.join(',')}]}`;

describe('a final refusal rests on facts of the last second', () => {
  it('is judged once where nothing is refused', async () => {
    expect(await codes(log())).toEqual(['accepted']);
    expect(view.asked).toEqual([5_000]);
  });

  const other = makeKey('k2');
  it.each([
    ['unknown_device', {}, { device: null }],
    ['device_disabled', {}, { device: { ...world().device, assignments: [{ store, active: false, since: null }] } as DeviceFacts }],
    ['unknown_key', {}, { device: { ...world().device, keys: [] } as unknown as DeviceFacts }],
    ['key_not_valid', {}, { device: { ...world().device, keys: [{ ...registeredKey, validUntil: 1 }] } as DeviceFacts }],
    ['invalid_signature', {}, { device: { ...world().device, keys: [{ ...registeredKey, publicKey: other.publicKey }] } as DeviceFacts }],
    ['duration_inconsistent', {}, { content: { contentId: CONTENT, durationMs: 14_000 } }],
    ['location_out_of_range', { location: { lat: 11, lng: 106 } }, { device: deviceAt(20) }],
    ['unknown_campaign', {}, { campaign: null }],
  ])('%s is looked at again: it stays when the registry still says so, and goes when it does not', async (code, changes, stale) => {
    const right = code === 'location_out_of_range' ? world({ device: deviceAt(11) }) : world();
    view.stale = { ...right, ...stale };
    view.fresh = right;
    expect(await codes(log(changes))).toEqual(['accepted']);
    expect(view.asked).toEqual([5_000, 1_000]);
    view.fresh = view.stale;
    expect(await codes(log(changes))).toEqual([code]);
  });

  it.each([
    ['in_future', { ended_at: formatInstant(NOW + 600_001), started_at: formatInstant(NOW) }],
    ['too_old', { ended_at: formatInstant(NOW - 86_400_001), started_at: formatInstant(NOW - 86_500_000) }],
    ['duration_inconsistent', { duration_actual: 16.001 }],
  ])('%s by what the log says of itself needs no second look', async (code, changes) => {
    expect(await codes(log(changes))).toEqual([code]);
    expect(view.asked).toEqual([5_000]);
  });

  it('I2: what was not accepted at first is not accepted without proof later', async () => {
    view.stale = world({ device: null });
    expect(await codes(log({}, other))).toEqual(['invalid_signature']);
  });
});

describe('a registry that cannot be asked', () => {
  it.each([false, true])(
    'makes every readable log unavailable, and leaves the unreadable ones as they are (by promise: %s)',
    async (byPromise) => {
      view.byPromise = byPromise;
      view.fails.add(1);
      expect(await codes(batchOf(log(), log({ status: 'DONE' }), log()), { batch: true })).toEqual([
        'unavailable',
        'invalid_field',
        'unavailable',
      ]);
    },
  );

  it.each([false, true])('at the second look costs the refused log its verdict, not its neighbours (by promise: %s)', async (byPromise) => {
    view.byPromise = byPromise;
    view.fails.add(2);
    const tooOld = log({ ended_at: formatInstant(NOW - 90_000_000), started_at: formatInstant(NOW - 90_000_000), duration_actual: 0 });
    expect(await codes(batchOf(log(), log({ campaign_id: uuidOf(3, 9) }), tooOld), { batch: true })).toEqual([
      'accepted',
      'unavailable',
      'too_old',
    ]);
  });

  it('costs only those logs their verdict that name what could not be read', async () => {
    view.fails.add(1);
    view.missing = { devices: new Set(), campaigns: new Set([uuidOf(3, 9)]), contents: new Set() };
    expect(await codes(batchOf(log(), log({ campaign_id: uuidOf(3, 9) }), log()), { batch: true })).toEqual([
      'accepted',
      'unavailable',
      'accepted',
    ]);
    expect(view.asked).toEqual([5_000]);
  });

  it('is judged by up to the age that is set; a refusal that rests on it never', async () => {
    view.fails.add(2);
    const settings = { ...SETTINGS, registryMaxAgeMs: 3_600_000 };
    expect(await codes(batchOf(log(), log({ device_id: uuidOf(2, 9) })), { batch: true, settings })).toEqual(['accepted', 'unavailable']);
    expect(view.asked).toEqual([3_600_000, 1_000]);
  });

  it('lets every other fault through: it is ours', async () => {
    view.prepare = () => {
      throw new TypeError('a fault of ours');
    };
    await expect(judged(log())).rejects.toThrow(TypeError);
  });
});

function at(ms: number): string {
  return formatInstant(NOW + ms);
}

describe('the send time', () => {
  it('is believed within ten minutes, from the header or from the batch, and the play says that it was checked', async () => {
    for (const [text, options] of [
      [log(), { deviceTime: at(600_000) }],
      [`{"sent_at":"${at(-600_000)}","logs":[${log()}]}`, { batch: true }],
      [`[${log()}]`, { batch: true, deviceTime: at(0) }],
    ] as const) {
      const answer = await judged(text, options);
      expect(answer.problem).toBeNull();
      expect(answer.problem === null && answer.logs[0]?.result).toMatchObject({ outcome: 'accepted', play: { clockChecked: true } });
    }
    const untold = await judged(log());
    expect(untold.problem === null && untold.logs[0]?.result).toMatchObject({ play: { clockChecked: false } });
  });

  it('refuses the whole request when it is more than ten minutes off, before anything in it is looked at', async () => {
    for (const [text, options] of [
      [log(), { deviceTime: at(600_001) }],
      ['{"not": "a log"}', { deviceTime: at(-600_001) }],
      ['not even JSON', { deviceTime: at(-600_001) }],
      [`{"sent_at":"${at(600_001)}","logs":[${log()}]}`, { batch: true }],
      [`{"sent_at":"${at(0)}","logs":[${log()}]}`, { batch: true, deviceTime: at(900_000) }],
      [`{"sent_at":"${at(900_000)}","logs":[${log()}]}`, { batch: true, deviceTime: at(0) }],
    ] as const) {
      const { problem } = await judged(text, options);
      expect(problem?.code, text.slice(0, 30)).toBe('clock_skew');
      expect(problem?.status).toBe(422);
      expect(problem?.toDocument()).toMatchObject({ server_time: formatInstant(NOW), retryable: true });
    }
    expect(view.asked).toEqual([]);
  });

  it('is invalid_field when it cannot be read', async () => {
    for (const text of ['', 'now', '2026-02-30T00:00:00Z', '2026-09-01 12:00:00Z', `${at(0)}, ${at(0)}`]) {
      const header = await judged(log(), { deviceTime: text });
      expect([header.problem?.code, header.problem?.status]).toEqual(['invalid_field', 400]);
      const inBatch = await judged(`{"sent_at":${JSON.stringify(text)},"logs":[${log()}]}`, { batch: true });
      expect([inBatch.problem?.code, inBatch.problem?.extra.fields]).toEqual(['invalid_field', ['/sent_at']]);
    }
  });

  it('can be required', async () => {
    const settings = { ...SETTINGS, requireDeviceTime: true };
    expect(await codes(log(), { settings })).toBe('invalid_field');
    expect(await codes(batchOf(log()), { settings, batch: true })).toBe('invalid_field');
    expect(await codes(log(), { settings, deviceTime: at(0) })).toEqual(['accepted']);
    expect(await codes(`{"sent_at":"${at(0)}","logs":[${log()}]}`, { settings, batch: true })).toEqual(['accepted']);
  });
});

describe('judging and packing', () => {
  it('never throw for what a client sent', async () => {
    const good = JSON.parse(log()) as Record<string, unknown>;
    const values = fc.oneof(
      fc.jsonValue(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('9999-12-31T23:59:59.999Z', '0000-01-01T00:00:00Z', Number.POSITIVE_INFINITY, -0),
    );
    const mutated = fc
      .tuple(fc.constantFrom(...Object.keys(good), 'location', 'key_id', 'screenshot_hash', '__proto__', 'x'), values)
      .map(([name, value]) => JSON.stringify({ ...good, [name]: value }));
    const body = fc.oneof(
      mutated,
      fc.array(mutated, { maxLength: 3 }).map((logs) => batchOf(...logs)),
      fc.json(),
      fc.string({ unit: 'binary' }),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    );
    await fc.assert(
      fc.asyncProperty(body, fc.boolean(), fc.option(fc.string()), async (text, batch, deviceTime) => {
        const answer = await judged(text, { batch, deviceTime });
        const packer = new Packer();
        packer.add({ id: 1, batch, at: 0, length: 0, receivedAt: NOW, deviceTime: null }, answer);
        expect(packer.finish(1).message.requests).toHaveLength(1);
      }),
      { numRuns: 400 },
    );
  });
});

function deviceAt(lat: number): DeviceFacts {
  const moved = { ...store, location: { lat, lng: 106 } };
  return { deviceId: DEVICE, assignments: [{ store: moved, active: true, since: null }], keys: [registeredKey] };
}
