/** How fast a report over a whole past is answered, and whether it counts all of it. */
import type { BenchService } from './service.ts';

export interface ReportSpeed {
  readonly plays: number;
  readonly rows: number;
  /** The first one after the start of the service. */
  readonly coldMs: number;
  /** The median of those after it. */
  readonly warmMs: number;
  readonly slowestWarmMs: number;
  readonly faults: readonly string[];
}

const WARM = 9;

/** By campaign and day from `from` until before `to`, milliseconds since 1970 UTC, where `logs` plays lie. */
export async function measureReport(service: BenchService, from: number, to: number, logs: number): Promise<ReportSpeed> {
  const path = `/reports/plays?by=campaign_id,day&from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`;
  const times: number[] = [];
  let plays = 0;
  let count = 0;
  for (let i = 0; i <= WARM; i += 1) {
    const started = performance.now();
    const { status, body } = await service.get(path);
    times.push(performance.now() - started);
    if (status !== 200) throw new Error(`the report was not answered: ${status} ${JSON.stringify(body)}`);
    const { rows } = body as { rows: { plays: number }[] };
    plays = rows.reduce((sum, row) => sum + row.plays, 0);
    count = rows.length;
  }
  const [coldMs = 0, ...warm] = times;
  warm.sort((a, b) => a - b);
  return {
    plays,
    rows: count,
    coldMs,
    warmMs: warm[Math.floor(WARM / 2)] ?? 0,
    slowestWarmMs: warm.at(-1) ?? 0,
    faults: plays !== logs ? [`the report counts ${plays} plays where ${logs} were stored`] : [],
  };
}
