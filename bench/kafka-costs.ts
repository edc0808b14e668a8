/** What each process of an installation used while a load ran. */
import { difference, machineSeconds, type ProcessUsage, usageOf } from './usage.ts';

export interface ProcessCost {
  /** Of all its threads, those included that ended meanwhile. */
  readonly cpuSeconds: number;
  readonly maxRssBytes: number;
  readonly threads: Readonly<Record<string, number>>;
}

export interface Costs {
  readonly seconds: number;
  /** By what the process does: `node`, `settle`, `loader`, `broker`, `mongodb`, `clickhouse`, `peer`. Empty where there is no /proc. */
  readonly processes: Readonly<Record<string, ProcessCost>>;
  /** CPU seconds of all cores together that were not idle; null where that is not known. */
  readonly busySeconds: number;
  readonly idleSeconds: number;
}

/** Begins to watch. The returned function ends it. */
export function watchCosts(pids: () => Iterable<readonly [string, number]>): () => Costs {
  const began = performance.now();
  const before = new Map<string, { readonly pid: number; readonly usage: ProcessUsage | null }>();
  for (const [name, pid] of pids()) before.set(name, { pid, usage: usageOf(pid) });
  const machine = machineSeconds();
  return () => {
    const { busy, idle } = machineSeconds();
    const processes: Record<string, ProcessCost> = {};
    for (const [name, { pid, usage }] of before) {
      const used = difference(usage, usageOf(pid));
      if (used) processes[name] = used;
    }
    return {
      seconds: (performance.now() - began) / 1000,
      processes,
      busySeconds: busy - machine.busy,
      idleSeconds: idle - machine.idle,
    };
  };
}

/** CPU seconds of everything that was watched. */
export function totalSeconds({ processes }: Costs): number {
  return Object.values(processes).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}

/** Part of the machine, 0 to 1, that was used by processes that are no part of the measurement. @param further CPU seconds of the load. */
export function takenByOthers(costs: Costs, further: number): number {
  const others = costs.busySeconds - totalSeconds(costs) - further;
  return Math.max(0, others) / (costs.busySeconds + costs.idleSeconds);
}
