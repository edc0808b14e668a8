/** Memory of the service's processes over time, and whether it stays flat. */
import type { BenchService } from './service.ts';
import { residentBytes } from './usage.ts';

export interface MemorySample {
  /** Since the load began. */
  readonly second: number;
  readonly serviceBytes: number;
  readonly analyticsBytes: number;
}

export interface MemoryTrend {
  readonly maxBytes: number;
  /** By a straight line through the second half of the samples; the first half fills caches and windows. */
  readonly bytesPerMinute: number;
  /** Mean of the second half. */
  readonly meanBytes: number;
}

const EVERY_MS = 1_000;

/** The returned function ends it. Without /proc there are no samples. */
export function watchMemory(service: BenchService): () => readonly MemorySample[] {
  const started = performance.now();
  const samples: MemorySample[] = [];
  const timer = setInterval(() => {
    const [main, analytics] = service.processes().map(residentBytes);
    if (main === undefined || main === null || analytics === undefined || analytics === null) return;
    samples.push({ second: (performance.now() - started) / 1000, serviceBytes: main, analyticsBytes: analytics });
  }, EVERY_MS);
  return () => {
    clearInterval(timer);
    return samples;
  };
}

/** Of all processes together; null for fewer than four samples. */
export function trendOf(samples: readonly MemorySample[]): MemoryTrend | null {
  if (samples.length < 4) return null;
  const points = samples.map(({ second, serviceBytes, analyticsBytes }) => ({ x: second / 60, y: serviceBytes + analyticsBytes }));
  const half = points.slice(Math.floor(points.length / 2));
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(half.map((point) => point.x));
  const y = mean(half.map((point) => point.y));
  const spread = half.reduce((sum, point) => sum + (point.x - x) ** 2, 0);
  const together = half.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0);
  return { maxBytes: Math.max(...points.map((point) => point.y)), bytesPerMinute: together / spread, meanBytes: y };
}
