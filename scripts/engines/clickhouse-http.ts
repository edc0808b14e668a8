/**
 * ClickHouse's HTTP interface in front of chDB, for tests: no server binary is to be had from the package registries, and the code
 * under test must speak HTTP. Run as `node clickhouse-http.ts DIRECTORY PORT [USER PASSWORD]`.
 *
 * Takes settings and `param_…` in the address, gzip both ways, text and binary bodies; answers failures with
 * `X-ClickHouse-Exception-Code`. No sessions. `written_rows` in the summary is always 0, as chDB does not tell.
 *
 * `PUT /fault/insert?mode=` makes inserts fail, as a test wants it: `refuse` (read-only), `lose` (done, but the connection breaks
 * before the answer), `off`.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { createGunzip, gzipSync } from 'node:zlib';
import { type Answer, ClickHouseEngine, ClickHouseFault } from './clickhouse-engine.ts';

const BODY_BYTES = 256 * 1024 * 1024;

/** What the address carries besides settings. */
const NOT_SETTINGS = new Set([
  'query',
  'database',
  'default_format',
  'query_id',
  'user',
  'password',
  'compress',
  'decompress',
  'wait_end_of_query',
  'buffer_size',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'enable_http_compression',
  'http_zlib_compression_level',
  'client_protocol_version',
  'role',
]);

/** As ClickHouse's HTTPHandler has it; all others are 500. */
const STATUS = new Map<number, number>([
  ...[6, 26, 27, 36, 38, 41, 53, 62, 72, 73, 117, 158, 396].map((code) => [code, 400] as const),
  ...[164, 194, 497, 516].map((code) => [code, 403] as const),
  ...[16, 46, 47, 50, 56, 60, 81, 115].map((code) => [code, 404] as const),
  [159, 408],
  [48, 501],
  [202, 503],
]);

const INSERT = /^\s*insert\s+into\b/i;
const INSERT_FORMAT = /^([\s\S]*?)\bFORMAT\s+(\w+)\s*;?\s*$/i;
const QUERY_FORMAT = /\bFORMAT\s+(\w+)\s*(?:SETTINGS[\s\S]*)?;?\s*$/i;
const BINARY = new Set(['RowBinary', 'Native', 'Parquet', 'Arrow', 'ArrowStream']);

const [directory = '', port = '', user = 'default', password = ''] = process.argv.slice(2);
const engine = await ClickHouseEngine.open(directory);
let insertFault: 'off' | 'refuse' | 'lose' = 'off';

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  const collect = async (source: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of source) {
      length += chunk.length;
      if (length > BODY_BYTES) throw new ClickHouseFault(307, `the body is longer than ${BODY_BYTES} bytes`);
      chunks.push(chunk);
    }
  };
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'gzip') await pipeline(request, createGunzip(), collect);
  else if (encoding === 'identity') await collect(request);
  else throw new ClickHouseFault(48, `Content-Encoding ${encoding} is not had here`);
  return Buffer.concat(chunks);
}

function authorise(request: IncomingMessage, parameters: URLSearchParams): void {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const decoded = basic === undefined ? null : Buffer.from(basic, 'base64').toString('utf8');
  const colon = decoded?.indexOf(':') ?? -1;
  const header = (name: string): string | undefined => request.headers[name] as string | undefined;
  const givenUser = decoded?.slice(0, colon) ?? header('x-clickhouse-user') ?? parameters.get('user') ?? 'default';
  const givenPassword = decoded?.slice(colon + 1) ?? header('x-clickhouse-key') ?? parameters.get('password') ?? '';
  if (givenUser === user && givenPassword === password) return;
  throw new ClickHouseFault(
    516,
    `${givenUser}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)`,
  );
}

function settingsOf(parameters: URLSearchParams): [string, string][] {
  const settings = [...parameters].filter(([name]) => !NOT_SETTINGS.has(name));
  for (const [name] of settings) {
    if (name === 'session_id') throw new ClickHouseFault(48, 'sessions are not had here');
    if (!/^\w+$/.test(name)) throw new ClickHouseFault(115, `Unknown setting '${name}'`);
  }
  return settings;
}

interface Executed extends Answer {
  readonly format: string;
}

async function execute(parameters: URLSearchParams, body: Buffer): Promise<Executed> {
  const format = parameters.get('default_format') ?? 'TabSeparated';
  const inAddress = parameters.get('query') ?? '';
  const statement = { sql: inAddress, settings: settingsOf(parameters), database: parameters.get('database'), format };
  const withData = INSERT.test(inAddress) ? INSERT_FORMAT.exec(inAddress) : null;
  if (withData) {
    const [, into = '', dataFormat = ''] = withData;
    // Without data chDB would wait for its standard input.
    if (body.length === 0) return { bytes: new Uint8Array(), rows: 0, read: 0, format };
    if (BINARY.has(dataFormat)) return { ...(await engine.insertFile(statement, into, dataFormat, body)), format };
  }
  const text = body.toString('utf8');
  const sql = inAddress && text ? `${inAddress}\n${text}` : inAddress || text;
  if (sql.trim() === '') throw new ClickHouseFault(62, 'Syntax error: failed at position 1 (end of query): Empty query. (SYNTAX_ERROR)');
  const result = await engine.run({ ...statement, sql });
  return { ...result, format: (INSERT.test(sql) ? undefined : QUERY_FORMAT.exec(sql)?.[1]) ?? format };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const parameters = url.searchParams;
  if (request.method === 'GET' && url.pathname === '/ping') {
    response.end('Ok.\n');
    return;
  }
  if (request.method === 'PUT' && url.pathname === '/fault/insert') {
    const mode = parameters.get('mode');
    if (mode !== 'off' && mode !== 'refuse' && mode !== 'lose') throw new ClickHouseFault(36, 'mode is off, refuse or lose');
    insertFault = mode;
    response.end();
    return;
  }
  response.setHeader('X-ClickHouse-Query-Id', parameters.get('query_id') ?? randomUUID());
  const body = await bodyOf(request);
  authorise(request, parameters);
  const inserts = INSERT.test(parameters.get('query') || body.subarray(0, 200).toString('latin1'));
  if (inserts && insertFault === 'refuse') throw new ClickHouseFault(164, 'Cannot execute query in readonly mode. (READONLY)');
  const begin = process.hrtime.bigint();
  const result = await execute(parameters, body);
  if (inserts && insertFault === 'lose') {
    response.destroy();
    return;
  }
  const elapsed = process.hrtime.bigint() - begin;
  response.setHeader('Content-Type', contentType(result.format));
  response.setHeader('X-ClickHouse-Format', result.format);
  response.setHeader('X-ClickHouse-Timezone', 'UTC');
  response.setHeader('X-ClickHouse-Summary', summary(result, elapsed));
  const zipped = parameters.get('enable_http_compression') === '1' && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
  if (zipped && result.bytes.length > 0) {
    response.setHeader('Content-Encoding', 'gzip');
    response.end(gzipSync(result.bytes, { level: 1 }));
  } else response.end(result.bytes);
}

function contentType(format: string): string {
  if (format === 'JSON' || format === 'JSONCompact') return 'application/json; charset=UTF-8';
  if (format.endsWith('EachRow')) return 'application/x-ndjson; charset=UTF-8';
  if (format.startsWith('CSV')) return 'text/csv; charset=UTF-8; header=absent';
  return BINARY.has(format) ? 'application/octet-stream' : 'text/tab-separated-values; charset=UTF-8';
}

/** ClickHouse writes these numbers as strings. */
function summary(result: Answer, elapsed: bigint): string {
  const counts = {
    read_rows: result.rows,
    read_bytes: result.read,
    written_rows: 0,
    written_bytes: 0,
    total_rows_to_read: 0,
    result_rows: 0,
  };
  const entries = Object.entries({ ...counts, result_bytes: result.bytes.length, elapsed_ns: elapsed });
  return JSON.stringify(Object.fromEntries(entries.map(([name, value]) => [name, String(value)])));
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const fault = error instanceof ClickHouseFault ? error : new ClickHouseFault(1_001, `std::exception: ${String(error)}`);
  response.writeHead(STATUS.get(fault.code) ?? 500, {
    'Content-Type': 'text/plain; charset=UTF-8',
    'X-ClickHouse-Exception-Code': String(fault.code),
  });
  response.end(`${fault.message} (version ${engine.version} (official build))\n`);
}

const server = createServer({ keepAliveTimeout: 10_000 }, (request, response) => {
  answer(request, response).catch((error: unknown) => refuse(response, error));
});
server.listen(Number(port), '127.0.0.1', () => process.stdout.write(`ClickHouse ${engine.version} over HTTP on port ${port}\n`));

process.once('SIGTERM', () => {
  server.close(() => {
    engine.close();
    process.exit(0);
  });
  server.closeIdleConnections();
});
