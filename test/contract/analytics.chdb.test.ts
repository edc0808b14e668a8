import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openEngine } from '../../src/analytics/embedded/engine.ts';
import { queryLines } from '../../src/analytics/query.ts';
import type { QueryParams } from '../../src/query/analytics-port.ts';
import { analyticsContract } from './analytics.contract.ts';

analyticsContract('chDB', async () => {
  // The name is a trap: chDB takes braces and stars in the path of a file for a pattern.
  const directory = mkdtempSync(path.join(tmpdir(), "playproof {a,b}* 'x'-"));
  const engine = await openEngine(directory);
  return {
    connect: engine.connect,
    insertBatch: engine.insertBatch,
    queries: {
      rows: async <Row>(sql: string, params: QueryParams): Promise<Row[]> => {
        const lines = await queryLines(engine.connect, sql, params);
        return lines
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Row);
      },
    },
    close: () => {
      engine.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
});
