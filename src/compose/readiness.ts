/** Readiness of a process on the distributed engines, by the roles that it has. */
import type { RemoteLoader } from '../analytics/remote-loader.ts';
import { REGISTRY_MAX_AGE_MS } from '../domain/limits.ts';
import type { JournalState } from '../journal/journal-state.ts';
import type { CheckResult } from '../server/health.ts';
import type { Settler } from '../settle/settler.ts';
import type { EngineWatch } from './engine-watch.ts';

interface Check {
  readonly ok: boolean;
  readonly detail?: string;
}

export interface AcceptState {
  readonly journal: JournalState;
  /** Why it takes no writes, where it is `refusing`. */
  readonly refuses: string;
  /** Why no log is taken; null: they are. */
  readonly refusal: string | null;
  readonly viewAgeMs: number | null;
}

/** Null: this process does not have the role. */
export interface Parts {
  readonly accept: AcceptState | null;
  readonly settler: Pick<Settler, 'status'> | null;
  readonly loader: Pick<RemoteLoader, 'status'> | null;
  /** Of the engines that questions are answered from. */
  readonly query: Pick<EngineWatch, 'fault'> | null;
}

/**
 * Each role is ready by what it needs itself. Accepting needs the journal, and to have read the registry once: it goes on without
 * MongoDB as long as its view may be used, and where that is too old another node would be no better off.
 */
export function readiness({ accept, settler, loader, query }: Parts): CheckResult {
  const checks: Record<string, Check> = {};
  if (accept) checks.accept = acceptCheck(accept);
  if (settler) {
    const { status } = settler;
    const ok = status?.state === 'settling' && status.lastError === null;
    checks.settle = ok ? { ok } : { ok, detail: status?.lastError ?? `settling is ${status?.state ?? 'starting'}` };
  }
  if (loader) {
    const { status } = loader;
    const ok = status?.lastError === null;
    checks.analytics = ok ? { ok } : { ok, detail: status?.lastError ?? 'loading is starting' };
  }
  if (query) checks.query = query.fault === null ? { ok: true } : { ok: false, detail: query.fault };
  if (accept && accept.viewAgeMs !== null && accept.viewAgeMs > REGISTRY_MAX_AGE_MS) {
    const seconds = Math.round(accept.viewAgeMs / 1_000);
    checks.registry = { ok: false, detail: `logs are judged by a view of the registry that is ${seconds} s old: MongoDB does not answer` };
  }
  const needed = accept ? ['accept'] : Object.keys(checks);
  return { ok: needed.every((name) => checks[name]?.ok !== false), checks };
}

function acceptCheck({ journal, refuses, refusal, viewAgeMs }: AcceptState): Check {
  if (refusal !== null) return { ok: false, detail: refusal };
  if (journal === 'closed') return { ok: false, detail: 'the journal is not open yet: Kafka cannot be reached' };
  if (journal === 'refusing') return { ok: false, detail: `the journal takes no writes now: ${refuses}` };
  if (viewAgeMs === null) return { ok: false, detail: 'the registry was not read yet: MongoDB cannot be reached' };
  return { ok: true };
}
