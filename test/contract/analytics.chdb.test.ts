import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openEngine } from '../../src/analytics/embedded/engine.ts';
import { analyticsContract } from './analytics.contract.ts';

analyticsContract('chDB', async () => {
  // The name is a trap: chDB takes braces and stars in the path of a file for a pattern.
  const directory = mkdtempSync(path.join(tmpdir(), "playproof {a,b}* 'x'-"));
  const engine = await openEngine(directory);
  return {
    connect: engine.connect,
    insertBatch: engine.insertBatch,
    close: () => {
      engine.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
});
