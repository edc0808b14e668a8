/**
 * What each screen does, decided by the seed alone: which plays, which faults, when it goes offline and when its clock is wrong.
 * Time plays no part, so that a run can be repeated and differs only in how far it gets.
 *
 * The expected verdicts are written down here from the contract's text, not computed with the service's code.
 */
import type { PlaybackStatus } from '@playproof/device';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** What the service must say: proven with this verdict, or refused with this code. */
export type Expected =
  | { readonly outcome: 'accepted'; readonly status: PlaybackStatus; readonly billable: boolean }
  | { readonly outcome: 'refused'; readonly code: string };

const BILLABLE: Expected = { outcome: 'accepted', status: 'COMPLETED', billable: true };
const proven = (status: PlaybackStatus): Expected => ({ outcome: 'accepted', status, billable: false });
const refused = (code: string): Expected => ({ outcome: 'refused', code });

/**
 * Weights in thousandths of all steps. `sdk`: an honest player, or one with a fault that its SDK cannot see. `direct`: forged or
 * broken messages that go around the SDK, and messages sent once more.
 */
const BEHAVIOURS = {
  normal: { weight: 797, via: 'sdk', expected: BILLABLE },
  /** Claims COMPLETED after 82 to 99 %. */
  nearly_complete: { weight: 30, via: 'sdk', expected: BILLABLE },
  /** Claims COMPLETED after 20 to 78 %. */
  cut_short: { weight: 25, via: 'sdk', expected: proven('PARTIAL') },
  partial: { weight: 20, via: 'sdk', expected: proven('PARTIAL') },
  skipped: { weight: 20, via: 'sdk', expected: proven('SKIPPED') },
  error: { weight: 10, via: 'sdk', expected: proven('ERROR') },
  late_campaign: { weight: 12, via: 'sdk', expected: BILLABLE },
  wrong_place: { weight: 8, via: 'sdk', expected: refused('location_out_of_range') },
  stale: { weight: 6, via: 'sdk', expected: refused('too_old') },
  ahead: { weight: 4, via: 'sdk', expected: refused('in_future') },
  padded: { weight: 5, via: 'sdk', expected: refused('duration_inconsistent') },
  other_length: { weight: 4, via: 'sdk', expected: refused('duration_inconsistent') },
  tampered: { weight: 10, via: 'direct', expected: refused('invalid_signature') },
  strange_key: { weight: 4, via: 'direct', expected: refused('unknown_key') },
  strange_campaign: { weight: 4, via: 'direct', expected: refused('unknown_campaign') },
  strange_device: { weight: 4, via: 'direct', expected: refused('unknown_device') },
  disabled_device: { weight: 3, via: 'direct', expected: refused('device_disabled') },
  extra_field: { weight: 3, via: 'direct', expected: refused('invalid_field') },
  garbled: { weight: 2, via: 'direct', expected: refused('malformed') },
  /** An earlier log, byte for byte. */
  replay: { weight: 23, via: 'direct', expected: BILLABLE },
  /** Another content under the log_id of an earlier log. */
  conflict: { weight: 6, via: 'direct', expected: refused('log_id_conflict') },
} as const satisfies Record<string, { weight: number; via: 'sdk' | 'direct'; expected: Expected }>;

export type Behaviour = keyof typeof BEHAVIOURS;
const NAMES = Object.keys(BEHAVIOURS) as Behaviour[];

export interface Step {
  readonly behaviour: Behaviour;
  readonly via: 'sdk' | 'direct';
  readonly expected: Expected;
  readonly campaignId: string;
  readonly contentId: string;
  readonly status: PlaybackStatus;
  /** Seconds. */
  readonly durationActual: number;
  readonly durationExpected: number;
  /** `ended_at` less `started_at`, in milliseconds. */
  readonly spanMs: number;
  /** How long before the present the play ended; negative: in the future. */
  readonly agoMs: number;
  readonly location: { readonly lat: number; readonly lng: number } | null;
  readonly screenshotHash: string | null;
  /** 0 to 1: which of the earlier logs a replay or a conflict takes. */
  readonly earlier: number;
  /** Begins with this step: so many plays without a network, or a clock that is behind by so much. */
  readonly spell: { readonly kind: 'offline'; readonly plays: number } | { readonly kind: 'clock'; readonly behindMs: number } | null;
}

/** The endless plan of one screen. */
export function* screenPlan(world: World, screen: number, random: Random): Generator<Step, never> {
  const home = world.screens[screen]?.store.location;
  if (!home) throw new RangeError(`there is no screen ${screen}`);
  for (;;) {
    const behaviour = pickBehaviour(random);
    const campaign = behaviour === 'late_campaign' ? world.lateCampaign : random.pick(world.campaigns);
    const content = random.pick(campaign.contents);
    const { via, expected } = BEHAVIOURS[behaviour];
    yield {
      behaviour,
      via,
      expected,
      campaignId: behaviour === 'strange_campaign' ? random.uuid() : campaign.campaignId,
      contentId: content.contentId,
      ...durationsOf(behaviour, content.seconds, random),
      agoMs: agoOf(behaviour, random),
      location: locationOf(behaviour, home, random),
      screenshotHash: random.chance(0.1) ? Array.from({ length: 64 }, () => random.integer(0, 15).toString(16)).join('') : null,
      earlier: random.next(),
      spell: spellOf(random),
    };
  }
}

function pickBehaviour(random: Random): Behaviour {
  let rest = random.next() * 1000;
  for (const name of NAMES) {
    rest -= BEHAVIOURS[name].weight;
    if (rest < 0) return name;
  }
  return 'normal';
}

function durationsOf(
  behaviour: Behaviour,
  seconds: number,
  random: Random,
): Pick<Step, 'status' | 'durationActual' | 'durationExpected' | 'spanMs'> {
  const shown = (from: number, to: number): number => Math.round(seconds * (from + random.next() * (to - from)) * 1000) / 1000;
  let status: PlaybackStatus = 'COMPLETED';
  let durationActual = seconds;
  let durationExpected = seconds;
  let spanMs = 0;
  if (behaviour === 'nearly_complete') durationActual = shown(0.82, 0.99);
  if (behaviour === 'cut_short') durationActual = shown(0.2, 0.78);
  if (behaviour === 'partial') [status, durationActual] = ['PARTIAL', shown(0.1, 0.95)];
  if (behaviour === 'skipped') [status, durationActual] = ['SKIPPED', shown(0, 0.2)];
  if (behaviour === 'error') [status, durationActual] = ['ERROR', shown(0, 0.5)];
  if (behaviour === 'other_length') durationExpected = seconds + 5;
  spanMs = Math.ceil(durationActual * 1000);
  // Says that it ran five seconds longer than there were between start and end.
  if (behaviour === 'padded') spanMs = Math.max(0, Math.round(seconds * 1000) - 5000);
  return { status, durationActual, durationExpected, spanMs };
}

function agoOf(behaviour: Behaviour, random: Random): number {
  const recent = random.integer(0, 20_000);
  if (behaviour === 'stale') return 25 * 3_600_000 + recent;
  if (behaviour === 'ahead') return -6 * 3_600_000 - recent;
  return recent;
}

function locationOf(behaviour: Behaviour, home: { lat: number; lng: number }, random: Random): Step['location'] {
  const has = random.chance(0.7);
  const jitter = (): number => (random.next() - 0.5) / 200;
  // A tenth of a degree of latitude is 11 km, twice the distance that is allowed.
  const north = behaviour === 'wrong_place' ? 0.1 + random.next() / 5 : jitter();
  const east = jitter();
  if (!has && behaviour !== 'wrong_place') return null;
  return { lat: Math.round((home.lat + north) * 1e6) / 1e6, lng: Math.round((home.lng + east) * 1e6) / 1e6 };
}

function spellOf(random: Random): Step['spell'] {
  const draw = random.next();
  const size = random.next();
  if (draw < 0.004) return { kind: 'offline', plays: 10 + Math.floor(size * 60) };
  if (draw < 0.007) return { kind: 'clock', behindMs: (15 + Math.floor(size * 40)) * 60_000 };
  return null;
}
