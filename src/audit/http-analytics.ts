/** Analytics of a running service, asked over HTTP (routes.ts). */
import type { Static } from 'typebox';
import { type AuditRowsAnswer, MAX_ROWS } from './routes.ts';
import type { AnalyticsCopy, AnalyticsRow, LoadedFeed } from './ports.ts';

const TIMEOUT_MS = 60_000;
/** A service under load asks to come again; an audit has time. */
const ATTEMPTS = 10;
const MAX_WAIT_SECONDS = 10;

export class HttpAnalyticsCopy implements AnalyticsCopy {
  readonly maxRows = MAX_ROWS;
  readonly #url: string;
  readonly #token: string;

  /** @param url Of the service, such as http://127.0.0.1:8080. @param token Of an administrator. */
  constructor(url: string, token: string) {
    this.#url = url.replace(/\/+$/, '');
    this.#token = token;
  }

  async loaded(): Promise<readonly LoadedFeed[]> {
    return (await this.#ask('')).loaded.map(({ feed_id, position }) => ({ feedId: feed_id, position }));
  }

  stored(from: number, until: number | null): Promise<readonly AnalyticsRow[]> {
    return this.#rows(`?from=${from}${until === null ? '' : `&until=${until}`}`);
  }

  counted(logIds: readonly string[]): Promise<readonly AnalyticsRow[]> {
    return this.#rows(`?${logIds.map((logId) => `log_id=${logId}`).join('&')}`);
  }

  async #rows(query: string): Promise<readonly AnalyticsRow[]> {
    return (await this.#ask(query)).rows.map((row) => ({
      partition: row.feed_partition,
      offset: row.feed_offset,
      logId: row.log_id,
      contentHash: row.content_hash,
      status: row.status,
      billable: row.billable,
      endedAt: row.ended_at_ms,
      fingerprint: row.fingerprint,
    }));
  }

  async #ask(query: string): Promise<Static<typeof AuditRowsAnswer>> {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.#fetch(query);
      if (answer.ok) return (await answer.json()) as Static<typeof AuditRowsAnswer>;
      const text = await answer.text();
      const wait = Number(answer.headers.get('retry-after') ?? Number.NaN);
      if ((answer.status !== 503 && answer.status !== 429) || attempt === ATTEMPTS) throw refused(this.#url, answer.status, text);
      await new Promise((resolve) => setTimeout(resolve, 1_000 * Math.min(MAX_WAIT_SECONDS, Number.isNaN(wait) ? 1 : wait)));
    }
  }

  async #fetch(query: string): Promise<Response> {
    try {
      return await fetch(`${this.#url}/api/v1/audit/rows${query}`, {
        headers: { authorization: `Bearer ${this.#token}` },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (cause) {
      throw new AuditImpossible(
        `a service uses the data directory, and nothing answers at ${this.#url}; say with --url where it listens, or stop it and audit again`,
        { cause },
      );
    }
  }
}

/** The audit cannot be made; the message says what to do. */
export class AuditImpossible extends Error {
  override readonly name = 'AuditImpossible';
}

function refused(url: string, status: number, text: string): AuditImpossible {
  if (status === 401 || status === 403) {
    return new AuditImpossible(`${url} does not take the token as an administrator's; give it with --token or PLAYPROOF_ADMIN_TOKEN`);
  }
  if (status === 404) return new AuditImpossible(`${url} is no Playproof that can be audited; give the address of the service with --url`);
  return new AuditImpossible(`${url} answered ${status} (${text.slice(0, 300)}); audit again later`);
}
