/** chDB as the facade uses it: one statement on one connection, and no connection ever used again after a failure. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Session } from 'chdb';

const CONFIG = `<clickhouse>
  <background_pool_size>2</background_pool_size>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <mark_cache_size>67108864</mark_cache_size>
  <max_server_memory_usage>3221225472</max_server_memory_usage>
</clickhouse>
`;
const IDLE_CONNECTIONS = 8;

/** A failure as ClickHouse tells it. */
export class ClickHouseFault extends Error {
  override readonly name = 'ClickHouseFault';
  readonly code: number;

  /** @param code https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp */
  constructor(code: number, message: string) {
    super(message.startsWith('Code: ') ? message : `Code: ${code}. DB::Exception: ${message}`);
    this.code = code;
  }
}

export interface Statement {
  readonly sql: string;
  /** Also `param_…`. They stay on a connection, so that it is closed afterwards. */
  readonly settings: readonly (readonly [string, string])[];
  readonly database: string | null;
  readonly format: string;
}

export interface Answer {
  readonly bytes: Uint8Array;
  readonly rows: number;
  readonly read: number;
}

export class ClickHouseEngine {
  readonly version: string;
  readonly #data: string;
  readonly #staging: string;
  /** Stays open: the last connection to close would end the engine. */
  readonly #root: Session;
  readonly #idle: Session[] = [];

  private constructor(data: string, staging: string, root: Session, version: string) {
    this.#data = data;
    this.#staging = staging;
    this.#root = root;
    this.version = version;
  }

  /** One process for each directory. @throws when another has it. */
  static async open(directory: string): Promise<ClickHouseEngine> {
    const data = path.join(directory, 'chdb');
    const staging = path.join(directory, 'staging');
    rmSync(staging, { recursive: true, force: true });
    mkdirSync(staging, { recursive: true });
    const config = path.join(directory, 'engine.xml');
    writeFileSync(config, CONFIG);
    const root = new Session(data, { connectionArgs: [`--config-file=${config}`] });
    const version = (await root.queryAsync('SELECT version()', { format: 'TabSeparated' })).text().trim();
    return new ClickHouseEngine(data, staging, root, version);
  }

  /** @throws ClickHouseFault */
  async run(statement: Statement): Promise<Answer> {
    const marked = statement.settings.length > 0 || statement.database !== null || /^\s*(set|use)\b/i.test(statement.sql);
    const session = this.#idle.pop() ?? new Session(this.#data);
    let reusable = false;
    try {
      for (const [name, value] of statement.settings) await session.queryAsync(`SET ${name} = ${quoted(value)}`, { format: 'Null' });
      if (statement.database !== null) await session.queryAsync(`USE ${identifier(statement.database)}`, { format: 'Null' });
      const result = await session.queryAsync(statement.sql, { format: statement.format });
      const answer = { bytes: Buffer.from(result.bytes()), rows: result.rowsRead, read: result.bytesRead };
      reusable = !marked;
      return answer;
    } catch (error) {
      throw asFault(error);
    } finally {
      // After a failure the next query on the connection would return what the failed one had left.
      if (reusable && this.#idle.length < IDLE_CONNECTIONS) this.#idle.push(session);
      else session.close();
    }
  }

  /** Inserts rows of a binary format, which chDB takes only from a file. `into` is the statement up to FORMAT. */
  async insertFile(statement: Statement, into: string, format: string, body: Uint8Array): Promise<Answer> {
    const named = /^\s*insert\s+into\s+(?:table\s+)?([\w.`]+)\s*(?:\(([^)]*)\))?/i.exec(into);
    if (!named?.[1]) throw new ClickHouseFault(62, 'Syntax error: INSERT INTO table (columns) FORMAT … is what this server reads');
    const described = await this.run({ ...statement, sql: `DESCRIBE TABLE ${named[1]}`, format: 'JSONCompactEachRow' });
    const types = new Map(
      Buffer.from(described.bytes)
        .toString('utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as [string, string])
        .map(([name, type]) => [name, type] as const),
    );
    const columns = named[2] === undefined ? [...types.keys()] : named[2].split(',').map((name) => name.trim().replaceAll('`', ''));
    const structure = columns.map((name) => `${identifier(name)} ${types.get(name) ?? unknownColumn(name)}`).join(', ');
    const file = path.join(this.#staging, `${randomUUID()}.bin`);
    writeFileSync(file, body);
    try {
      const sql = `${into} SELECT * FROM file(${quoted(file)}, ${identifier(format)}, ${quoted(structure)})`;
      return await this.run({ ...statement, sql });
    } finally {
      rmSync(file, { force: true });
    }
  }

  close(): void {
    for (const session of this.#idle) session.close();
    this.#root.close();
  }
}

function unknownColumn(name: string): never {
  throw new ClickHouseFault(16, `No such column ${name} in table`);
}

function asFault(error: unknown): ClickHouseFault {
  if (error instanceof ClickHouseFault) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = /Code: (\d+)/.exec(message);
  return new ClickHouseFault(code ? Number(code[1]) : 1_002, code ? message.slice(code.index) : message);
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function identifier(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}
