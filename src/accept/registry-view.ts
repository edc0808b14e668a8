import type { FactSource } from '../domain/facts.ts';

export interface FactIds {
  readonly devices: ReadonlySet<string>;
  readonly campaigns: ReadonlySet<string>;
  readonly contents: ReadonlySet<string>;
}

/** The registry cannot be read, so what rests on it cannot be judged: the client hears `unavailable`. */
export class RegistryUnavailable extends Error {
  override readonly name = 'RegistryUnavailable';
  /** What could not be read, where `facts` holds everything else that was asked for; null: nothing in it may be judged by. */
  readonly missing: FactIds | null;

  constructor(message: string, options: ErrorOptions & { readonly missing?: FactIds } = {}) {
    super(message, options);
    this.missing = options.missing ?? null;
  }
}

/**
 * The registry as the judges see it.
 *
 * `prepare` makes what is registered under `ids` present in `facts`, no older than `maxAgeMs`; afterwards the look-ups in
 * `facts` answer synchronously until the caller next gives up its turn. It returns nothing when the cache sufficed, a promise
 * when the registry had to be asked over the network, and throws or rejects with RegistryUnavailable when it cannot be.
 */
export interface RegistryView {
  readonly facts: FactSource;
  prepare(ids: FactIds, maxAgeMs: number): void | Promise<void>;
  close(): void;
}
