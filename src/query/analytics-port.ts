/** Values of the `{name:Type}` parameters in a query. */
export type QueryParams = Readonly<Record<string, string | number | readonly string[] | readonly number[]>>;

/**
 * Analytics as reports and lists see it. Every query is bounded in time, memory and result; counts come as numbers.
 *
 * Rejects with a Problem: `unavailable` while analytics is away, `overloaded` when too many wait or one takes too long,
 * `invalid_parameter` when the answer would be too large.
 */
export interface AnalyticsQueries {
  /** @param sql ClickHouse SQL without SETTINGS and FORMAT; what a client sent is in `params` only. */
  rows<Row>(sql: string, params: QueryParams): Promise<Row[]>;
}

/** `instant`: every log received before it is in analytics. `reason`: why that is not now, where there is one. */
export interface Completeness {
  readonly instant: number;
  readonly reason?: string;
}
