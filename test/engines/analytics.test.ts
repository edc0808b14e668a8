/** The contract of analytics on ClickHouse over HTTP, as the loading process writes it and reports ask it. */
import { connectTo, HttpAnalytics, insertOverHttp } from '../../src/analytics/http-engine.ts';
import { analyticsContract } from '../contract/analytics.contract.ts';
import { startClickHouse } from './support/engines.ts';

const credentials = { user: 'playproof', password: 'pass:word' };

analyticsContract('ClickHouse over HTTP', async () => {
  const server = await startClickHouse({ credentials });
  const url = server.url.replace('//', `//${credentials.user}:${encodeURIComponent(credentials.password)}@`);
  return {
    connect: () => connectTo(url),
    insertBatch: insertOverHttp,
    queries: new HttpAnalytics(url, () => {}),
    close: () => server.dispose(),
  };
});
