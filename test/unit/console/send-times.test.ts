import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SendTimes } from '../../../src/accept/send-times.ts';

const NOW = Date.UTC(2026, 4, 1, 10);
const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

describe('what the clocks of devices say', () => {
  it('is how far the send time lies ahead of ours, of the header or the batch', () => {
    const times = new SendTimes();
    const [one, two] = [randomUUID(), randomUUID()];
    times.answered(times.look(bytes({ device_id: one }), '2026-05-01T10:00:03Z', false, NOW), 202);
    times.answered(
      times.look(bytes({ sent_at: '2026-05-01T16:59:30+07:00', logs: [{ device_id: two.toUpperCase() }] }), null, true, NOW + 10),
      202,
    );
    expect(times.of(one)).toEqual({ offsetMs: 3_000, seenAt: NOW });
    expect(times.of(two)).toEqual({ offsetMs: -30_010, seenAt: NOW + 10 });
  });

  it('is not taken from whom nothing proves: a refused log speaks for no device', () => {
    const times = new SendTimes();
    const id = randomUUID();
    for (const [i, status] of [207, 401, 422, 503].entries()) {
      times.answered(times.look(bytes({ device_id: id }), '2026-05-01T11:00:00Z', false, NOW + 10 * i), status);
    }
    expect(times.of(id)).toBeNull();
  });

  it('is nothing where there is no send time, no device, or neither can be read', () => {
    const times = new SendTimes();
    const id = randomUUID();
    expect(times.look(bytes({ device_id: id }), null, false, NOW)).toBeNull();
    expect(times.look(bytes({ device_id: 'x' }), '2026-05-01T10:00:00Z', false, NOW + 10)).toBeNull();
    expect(times.look(bytes({ device_id: id }), 'yesterday', false, NOW + 20)).toBeNull();
    expect(times.look(new Uint8Array(), '2026-05-01T10:00:00Z', false, NOW + 30)).toBeNull();
    // A log in a batch is no envelope: its own member of that name is none of ours.
    expect(times.look(bytes({ device_id: id, sent_at: '2026-05-01T10:00:00Z' }), null, false, NOW + 40)).toBeNull();
  });

  it('is looked at now and then only, and of a bounded number of devices', () => {
    const times = new SendTimes();
    const body = bytes({ device_id: randomUUID() });
    expect(times.look(body, '2026-05-01T10:00:00Z', false, NOW)).not.toBeNull();
    expect(times.look(body, '2026-05-01T10:00:00Z', false, NOW + 1)).toBeNull();
    const first = randomUUID();
    times.answered({ deviceId: first, offsetMs: 0, seenAt: 0 }, 202);
    for (let i = 0; i < 20_000; i += 1) times.answered({ deviceId: `device ${i}`, offsetMs: 0, seenAt: 0 }, 202);
    expect([times.of(first), times.of('device 0')]).toEqual([null, { offsetMs: 0, seenAt: 0 }]);
  });
});
