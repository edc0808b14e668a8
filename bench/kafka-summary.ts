/** The race and the whole path on Kafka in few figures, held against the targets. */
import type { WholePath } from './kafka-path.ts';
import type { Heat, Race, Racer } from './kafka-race.ts';
import type { Target } from './report.ts';

export interface RaceSummary {
  /** Logs a second of the closed loops: all logs over all seconds. */
  readonly perSecond: Readonly<Record<Racer, number | null>>;
  /** Ours ÷ the peer's, of each round. */
  readonly rounds: readonly number[];
  readonly ratio: number | null;
  /** Of the open loops, milliseconds: the median of the rounds. */
  readonly p50: Readonly<Record<Racer, number | null>>;
  readonly p99: Readonly<Record<Racer, number | null>>;
}

export function summarise(heats: readonly Heat[]): RaceSummary {
  const of = (racer: Racer, kind: Heat['kind']): Heat[] => heats.filter((heat) => heat.racer === racer && heat.kind === kind);
  const perSecond = { peer: rateOf(of('peer', 'closed')), ours: rateOf(of('ours', 'closed')) };
  const peers = of('peer', 'closed');
  const rounds = of('ours', 'closed').flatMap((heat, i) => {
    const ours = rateOf([heat]);
    const peer = rateOf(peers.slice(i, i + 1));
    return ours !== null && peer !== null ? [ours / peer] : [];
  });
  const middle = (racer: Racer, which: 'p50' | 'p99'): number | null =>
    median(of(racer, 'open').map(({ result }) => result.latency[which]));
  return {
    perSecond,
    rounds,
    ratio: perSecond.ours !== null && perSecond.peer !== null ? perSecond.ours / perSecond.peer : null,
    p50: { peer: middle('peer', 'p50'), ours: middle('ours', 'p50') },
    p99: { peer: middle('peer', 'p99'), ours: middle('ours', 'p99') },
  };
}

export function raceTargets({ heats }: Race, rate: number): Target[] {
  const { ratio, p99 } = summarise(heats);
  const targets: Target[] = [];
  if (ratio !== null) {
    targets.push({
      what: 'Kafka journal: logs/s verified, judged, durable ÷ records/s of Bento, same broker',
      target: '≥ 0.70',
      measured: ratio.toFixed(3),
      met: ratio >= 0.7,
    });
  }
  if (p99.ours !== null && p99.peer !== null) {
    targets.push({
      what: `Kafka journal: p99 at ${rate} logs/s, open loop`,
      target: `≤ Bento's ${p99.peer.toFixed(1)} ms`,
      measured: `${p99.ours.toFixed(1)} ms`,
      met: p99.ours <= p99.peer,
    });
  }
  return targets;
}

export function pathTargets({ freshness }: WholePath, rate: number): Target[] {
  const { feed, report } = freshness;
  return [
    { what: `cluster at ${rate} logs/s: in the feed after, p99`, target: '< 1 s', measured: `${feed.p99} ms`, met: feed.p99 < 1_000 },
    { what: `cluster at ${rate} logs/s: in the report after, p99`, target: '< 5 s', measured: `${report.p99} ms`, met: report.p99 < 5_000 },
  ];
}

function rateOf(heats: readonly Heat[]): number | null {
  if (heats.length === 0) return null;
  const logs = heats.reduce((sum, { result }) => sum + result.accepted, 0);
  return logs / heats.reduce((sum, { result }) => sum + result.seconds, 0);
}

export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const high = sorted[half];
  if (high === undefined) return null;
  return sorted.length % 2 === 1 ? high : (high + (sorted[half - 1] as number)) / 2;
}
