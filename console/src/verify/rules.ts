/** The nine rules of the contract, and what each saw in an accepted play. */
import { count, precise } from '../lib/format.ts';
import type { Session } from '../session/session.tsx';
import type { Evidence } from './verify.ts';

export interface RuleSeen {
  readonly number: number;
  readonly asks: string;
  readonly saw: string;
  /** It was not looked at, because the log does not have what it looks at. */
  readonly skipped?: boolean;
}

export function rulesSeen(evidence: Evidence, rules: Session['rules'], storeName: string): readonly RuleSeen[] {
  const { log, verdict, key } = evidence;
  const [started, ended, received] = [log.started_at, log.ended_at, verdict.received_at].map((text) => Date.parse(String(text)));
  const lateBy = ((received ?? 0) - (ended ?? 0)) / 1000;
  const took = ((ended ?? 0) - (started ?? 0)) / 1000;
  return [
    {
      number: 1,
      asks: 'Readable, within limits, every field by its rule',
      saw: `${count(Object.keys(log).length)} fields, all known and well-formed.`,
    },
    { number: 2, asks: 'Device registered, and active when the play ended', saw: `It stood in ${storeName}, active.` },
    { number: 3, asks: 'Signed by that device, with a key that was valid then', saw: `${key.algorithm} by its key “${key.key_id}”.` },
    { number: 4, asks: 'This log_id was not used before', saw: 'The first content under this log_id; it owns it for ever.' },
    {
      number: 5,
      asks: `Not in the future (at most ${precise(rules.max_ahead_seconds / 60)} min ahead)`,
      saw: lateBy >= 0 ? 'The play had ended when it was received.' : `It ended ${precise(-lateBy)} s ahead of our clock.`,
    },
    {
      number: 6,
      asks: `Not too old (at most ${precise(rules.max_age_seconds / 3600)} h)`,
      saw: `Received ${precise(lateBy)} s after it ended.`,
    },
    {
      number: 7,
      asks: 'Durations agree with times and catalogue',
      saw: `${precise(Number(log.duration_actual))} s shown, ${precise(took)} s between start and end; ${
        verdict.content_known
          ? `the catalogue has ${precise(Number(log.duration_expected))} s too.`
          : 'the content is not in the catalogue.'
      }`,
    },
    verdict.distance_m === null
      ? { number: 8, asks: 'The screen was at its store', saw: 'The log has no location.', skipped: true }
      : {
          number: 8,
          asks: `The screen was at its store (within ${precise(rules.max_distance_m / 1000)} km)`,
          saw: `${precise(verdict.distance_m)} m away.`,
        },
    { number: 9, asks: 'Campaign registered', saw: 'It was, and its advertiser pays.' },
  ];
}
