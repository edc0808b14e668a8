import { describe, expect, it } from 'vitest';
import { isForKafka, readKafkaOptions } from '../../../bench/kafka-options.ts';
import type { Heat, Racer } from '../../../bench/kafka-race.ts';
import { median, raceTargets, summarise } from '../../../bench/kafka-summary.ts';
import type { LoadResult } from '../../../bench/load/messages.ts';

function heat(racer: Racer, kind: Heat['kind'], accepted: number, seconds: number, p99 = 0): Heat {
  const result = { accepted, seconds, latency: { p50: p99 / 2, p90: p99, p99, max: p99 } } as LoadResult;
  return { racer, kind, result, costs: { seconds, processes: {}, busySeconds: 0, idleSeconds: 0 }, takenByOthers: 0 };
}

describe('the race on Kafka', () => {
  const heats = [
    heat('peer', 'closed', 400_000, 10),
    heat('ours', 'closed', 300_000, 10),
    heat('ours', 'closed', 300_000, 10),
    heat('peer', 'closed', 500_000, 10),
    heat('peer', 'open', 100_000, 10, 16),
    heat('ours', 'open', 100_000, 10, 12),
  ];

  it('compares all logs over all seconds, and each round', () => {
    const { perSecond, ratio, rounds } = summarise(heats);
    expect(perSecond).toEqual({ peer: 45_000, ours: 30_000 });
    expect(ratio).toBeCloseTo(2 / 3, 6);
    expect(rounds).toEqual([0.75, 0.6]);
  });

  it('holds ratio and p99 against the targets', () => {
    const targets = raceTargets({ heats, bytesPerRecord: { peer: 0, ours: 0 }, faults: [] }, 10_000);
    expect(targets.map(({ measured, met }) => [measured, met])).toEqual([
      ['0.667', false],
      ['12.0 ms', true],
    ]);
  });

  it('says nothing of a ratio where the peer did not run', () => {
    const alone = heats.filter(({ racer }) => racer === 'ours');
    expect(summarise(alone).ratio).toBeNull();
    expect(raceTargets({ heats: alone, bytesPerRecord: { peer: 0, ours: 0 }, faults: [] }, 10_000)).toEqual([]);
  });

  it('takes the median', () => {
    expect(median([])).toBeNull();
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });
});

describe('the options on Kafka', () => {
  it('are told from those of the embedded benchmarks', () => {
    expect(isForKafka(['--only', 'kafka'])).toBe(true);
    expect(isForKafka(['--only=cluster', '--seconds', '3'])).toBe(true);
    expect(isForKafka(['--capacity'])).toBe(true);
    expect(isForKafka(['--only', 'batch,open'])).toBe(false);
    expect(isForKafka(['--json', 'kafka'])).toBe(false);
  });

  it('have a sentence for each fault', () => {
    expect(readKafkaOptions(['--only', 'kafka,cluster', '--rounds', '3'])).toMatchObject({ only: ['kafka', 'cluster'], rounds: 3 });
    expect(() => readKafkaOptions(['--only', 'kafka,batch'])).toThrow('--only names "batch"');
    expect(() => readKafkaOptions(['--only', 'kafka', '--rounds', '0'])).toThrow('--rounds is "0"');
    expect(() => readKafkaOptions(['--capacity', '--assume', 'coreUse'])).toThrow('NAME=NUMBER');
  });
});
