/** Settles without end where the engines lie apart: `read` waits for records, so the loop needs no timer while all is well. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ProducerBroken } from '../kafka/transactions.ts';
import { Fenced, StaleBatch } from './ports.ts';
import { PositionLost, type Settlement, type SettleStep } from './settlement.ts';

const STEP_ROWS = 1_000;
/** Steps that took little begin this far apart: each is a transaction, which costs the same however little is in it. */
const PACE_MS = 100;
const FULL_PART = 0.5;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;

/** Why a loop ended: told to; another took over or the connection is spent (a new process may try); the position is lost (nobody may). */
export type LoopEnd = 'stopped' | 'left' | 'position-lost';

export interface EngineLoopDeps {
  readonly settlement: Settlement;
  readonly onStep: (step: SettleStep) => void;
  /** Told of every failure; the loop goes on by itself where it does not end. */
  readonly onFailure: (error: Error) => void;
}

export async function settleUntil(signal: AbortSignal, { settlement, onStep, onFailure }: EngineLoopDeps): Promise<LoopEnd> {
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      const began = performance.now();
      const step = await settlement.step(STEP_ROWS);
      onStep(step);
      pause = FIRST_PAUSE_MS;
      const rest = PACE_MS - (performance.now() - began);
      if (step.taken > 0 && step.taken < STEP_ROWS * FULL_PART && rest > 0) await sleep(rest, undefined, { signal }).catch(() => {});
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      // The batch of a partition that was given away is dropped: that is no failure, and nothing waits for it.
      if (error instanceof StaleBatch) continue;
      onFailure(error);
      if (error instanceof PositionLost) return 'position-lost';
      if (error instanceof Fenced || error instanceof ProducerBroken) return 'left';
      await sleep(pause, undefined, { signal }).catch(() => {});
      pause = Math.min(pause * 2, MAX_PAUSE_MS);
    }
  }
  return 'stopped';
}
