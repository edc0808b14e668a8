/**
 * The copying itself, in an order in which each part finds what it needs: the registry, tokens, quarantine, and then the plays, which
 * are settled into the target as an edge box would settle them. Everything can be said again without effect, so a copy that was cut
 * short is simply made again; the plays go on behind the position that was committed with them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ProducerBroken } from '../kafka/transactions.ts';
import type { Taken, WholeEntry } from '../registry/merge.ts';
import { type Kind, KINDS } from '../registry/registry.ts';
import { Fenced } from '../settle/ports.ts';
import { PositionLost, type Settlement } from '../settle/settlement.ts';
import { CopyImpossible, type CopySource, type CopyTarget, SourceDamaged } from './ports.ts';
import type { Progress } from './progress.ts';

export interface CopyInput {
  readonly source: CopySource;
  readonly target: CopyTarget;
  /** Takes the plays from where the last copy stopped; empty steps once everything is there. */
  readonly plays: Settlement;
  /** Plays that are not copied yet. */
  readonly playsLeft: () => Promise<number>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

export type RegistryTaken = Readonly<Record<Kind | 'token', Taken>>;

export interface CopyResult {
  readonly registry: RegistryTaken;
  readonly quarantine: number;
  readonly plays: {
    readonly total: number;
    /** Copied by earlier runs. */
    readonly before: number;
    readonly published: number;
    /** The target had the same log already: not published again. */
    readonly duplicates: number;
    /** Plays that stand in quarantine, of this run and of earlier ones, because the target has another log under their log_id. */
    readonly conflicts: number;
  };
}

const ENTRIES_AT_ONCE = 500;
const REFUSALS_AT_ONCE = 500;
const PLAYS_AT_ONCE = 1_000;
/** How often a part that failed is tried again before the copy ends, with a pause that grows to 5 s: about half a minute. */
const ATTEMPTS = 10;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;

/** @throws CopyImpossible when it was stopped or an engine stayed away; the same copy again goes on. */
export async function copyInstallation(input: CopyInput): Promise<CopyResult> {
  const registry = await copyRegistry(input, 'write');
  const quarantine = await copyQuarantine(input);
  const plays = await copyPlays(input);
  const conflicts = await steadily(input, () => input.target.conflicts(input.source.journalId));
  return { registry, quarantine, plays: { ...plays, conflicts } };
}

/** @param how `look`: writes nothing, and says what would be done. */
export async function copyRegistry(
  input: Pick<CopyInput, 'source' | 'target' | 'progress' | 'signal'>,
  how: 'write' | 'look',
): Promise<RegistryTaken> {
  const { source, target, progress } = input;
  const counts = source.counts();
  const taken = new Map<Kind | 'token', Taken>();
  // Stores before the devices that stand in them; devices last, so that their logs are taken when everything is there.
  const order = [...KINDS.filter((kind) => kind !== 'device'), 'device'] as const satisfies readonly Kind[];
  for (const kind of order) {
    progress.begin(`${kind}s`, counts.entries[kind]);
    taken.set(kind, await copyKind(input, kind, how));
  }
  taken.set('token', await steadily(input, () => target.tokens(source.tokens(), how)));
  return Object.fromEntries(taken) as RegistryTaken;
}

async function copyKind(
  input: Pick<CopyInput, 'source' | 'target' | 'progress' | 'signal'>,
  kind: Kind,
  how: 'write' | 'look',
): Promise<Taken> {
  let sum: Taken = { added: 0, changed: 0, same: 0, conflicts: [], notes: [] };
  for (let after: string | null = null; ; ) {
    const entries: readonly WholeEntry[] = input.source.entries(kind, after, ENTRIES_AT_ONCE);
    const last = entries.at(-1);
    if (!last) return sum;
    const { added, changed, same, conflicts, notes } = await steadily(input, () => input.target.entries(kind, entries, how));
    sum = {
      added: sum.added + added,
      changed: sum.changed + changed,
      same: sum.same + same,
      conflicts: [...sum.conflicts, ...conflicts],
      notes: [...sum.notes, ...notes],
    };
    input.progress.at(sum.added + sum.changed + sum.same);
    after = last.id;
  }
}

async function copyQuarantine(input: CopyInput): Promise<number> {
  const { source, target, progress } = input;
  progress.begin('quarantine', source.counts().quarantine);
  let copied = 0;
  for (let after = 0; ; ) {
    const rows = source.quarantine(after, REFUSALS_AT_ONCE);
    const last = rows.at(-1);
    if (!last) return copied;
    await steadily(input, () => target.quarantine(source.journalId, rows));
    copied += rows.length;
    progress.at(copied);
    after = last.id;
  }
}

async function copyPlays(input: CopyInput): Promise<Omit<CopyResult['plays'], 'conflicts'>> {
  const total = input.source.counts().plays;
  const before = total - (await steadily(input, input.playsLeft));
  input.progress.begin('plays', total, before);
  let published = 0;
  let duplicates = 0;
  for (let done = before; ; ) {
    const step = await steadily(input, () => input.plays.step(PLAYS_AT_ONCE));
    if (step.taken === 0) return { total, before, published, duplicates };
    published += step.owners;
    duplicates += step.duplicates;
    done += step.taken;
    input.progress.at(done);
  }
}

/** Repeats what an engine did not do, for a while. A repeat is harmless whatever became of it. */
async function steadily<T>({ progress, signal }: Pick<CopyInput, 'progress' | 'signal'>, work: () => Promise<T>): Promise<T> {
  let pause = FIRST_PAUSE_MS;
  for (let attempt = 1; ; attempt += 1) {
    if (signal.aborted) throw new CopyImpossible('stopped; the same command goes on where it was');
    try {
      return await work();
    } catch (error) {
      if (isFinal(error)) throw error;
      const told = error instanceof Error ? error.message : String(error);
      if (attempt === ATTEMPTS) throw new CopyImpossible(`${told}. The same command goes on where it was`, { cause: error });
      progress.say(`${told}; trying again`);
    }
    await sleep(pause, undefined, { signal }).catch(() => {});
    pause = Math.min(pause * 2, MAX_PAUSE_MS);
  }
}

/** Nothing that another attempt of this process could mend; a fault of SQLite has an `errcode`. */
function isFinal(error: unknown): boolean {
  const told = [PositionLost, Fenced, ProducerBroken, SourceDamaged, CopyImpossible, TypeError, RangeError];
  return told.some((kind) => error instanceof kind) || (error as { errcode?: unknown }).errcode !== undefined;
}
