/** One protection of the service, how to take it away, and the test that has to notice. */
export interface Protection {
  /** Short, unique, for `--only`. */
  readonly name: string;
  /** The row of docs/reliability.md, or the invariant, that it holds up. */
  readonly holds: string;
  /** What the code says without it. */
  readonly without: string;
  readonly file: string;
  /** Stands once in `file`. */
  readonly find: string;
  readonly replace: string;
  /** The test file, its configuration of vitest where it is not the usual one, and which of its tests. */
  readonly test: string;
  readonly config?: string;
  readonly named?: string;
  readonly env?: Readonly<Record<string, string>>;
}
