/** Tells what the plays of analytics take on the disk. Started by disk.ts with the directory of analytics. */
import { openEngine } from '../src/analytics/embedded/engine.ts';

const engine = await openEngine(process.argv[2] ?? '');
const client = engine.connect();
const ask = async <Row>(query: string): Promise<Row[]> => (await client.query({ query, format: 'JSONEachRow' })).json<Row>();
const OF_PLAYS = "WHERE active AND database = 'playproof' AND table = 'plays'";

const [whole] = await ask<{ bytes: string }>(`SELECT toString(sum(bytes_on_disk)) AS bytes FROM system.parts ${OF_PLAYS}`);
const columns = await ask<{ column: string; bytes: string }>(
  `SELECT column, toString(sum(column_bytes_on_disk)) AS bytes FROM system.parts_columns ${OF_PLAYS} GROUP BY column`,
);
process.send?.({
  whole: Number(whole?.bytes ?? 0),
  columns: Object.fromEntries(columns.map(({ column, bytes }) => [column, Number(bytes)])),
});
