import os from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { EmbeddedAnalytics } from '../../../src/analytics/embedded/process.ts';

const { execPath } = process;

afterEach(() => {
  process.execPath = execPath;
});

test('is stopped also just after its process could not be started', async () => {
  process.execPath = path.join(os.tmpdir(), 'playproof-no-such-program');
  const analytics = new EmbeddedAnalytics({ directory: os.tmpdir(), feedFile: null });
  const started = expect(analytics.start()).rejects.toThrow('stopped before it was ready');
  await analytics.stop(1_000);
  await started;
});
