import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { RemoteLoader } from '../../../src/analytics/remote-loader.ts';
import { readiness } from '../../../src/compose/readiness.ts';
import type { KafkaSettings } from '../../../src/config.ts';

test('a loading process that ends as soon as it starts, again and again, is at no time taken for one that is well', async () => {
  const told: string[] = [];
  const loader = new RemoteLoader({
    // As where the Kafka client is missing: it does not come as far as Kafka.
    options: {
      kafka: null as unknown as KafkaSettings,
      clickhouseUrl: 'http://127.0.0.1:1',
      settleGroup: null,
      skip: [],
      journalId: null,
      instance: 'i',
    },
    certain: () => null,
    log: (message) => told.push(message),
  });
  const details = new Set<string | undefined>();
  while (loader.restarts < 2) {
    const { ok, checks } = readiness({ accept: null, settler: null, loader, query: null });
    expect(ok).toBe(false);
    details.add(checks['analytics']?.detail);
    expect(loader.behind).toMatch(/^Loading/);
    await sleep(5);
  }
  await loader.stop();
  expect(details).toContain('loading is starting');
  expect(details.size).toBe(2);
  expect(told.join('\n')).toMatch(/loading failed: .*\n.*the loading process ended \(code 1\)/);
});
