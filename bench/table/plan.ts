/** How long each part of the table takes. */
import type { OverloadPlan } from '../overload.ts';

export interface TablePlan {
  readonly batchSeconds: number;
  readonly singleSeconds: number;
  readonly openSeconds: number;
  readonly overload: OverloadPlan;
  readonly wrkSeconds: number;
  /** Logs of the past, with ids of version 7; report and audit go over them too. */
  readonly past: number;
  /** The same with random ids, which cost more the more there are. */
  readonly pastV4: number;
  readonly growthSeconds: number;
  readonly memorySeconds: number;
}

/** As the targets ask for: about 30 minutes on two cores, 30 GB of disk at once. */
export const FULL: TablePlan = {
  batchSeconds: 60,
  singleSeconds: 20,
  openSeconds: 30,
  overload: { sustainSeconds: 8, overloadSeconds: 10, moderateSeconds: 6 },
  wrkSeconds: 10,
  past: 20_000_000,
  pastV4: 3_000_000,
  growthSeconds: 12,
  memorySeconds: 600,
};

/** To see every line within a few minutes; its figures say little. */
export const QUICK: TablePlan = {
  batchSeconds: 5,
  singleSeconds: 5,
  openSeconds: 5,
  overload: { sustainSeconds: 4, overloadSeconds: 4, moderateSeconds: 3 },
  wrkSeconds: 4,
  past: 200_000,
  pastV4: 100_000,
  growthSeconds: 4,
  memorySeconds: 15,
};
