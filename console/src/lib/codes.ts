/** Refusals in words: what happened, what to change, and where in the console that is done. */
import type { Problem } from '../api/types.ts';

export type RefusalCode = Problem['code'];

interface Advice {
  readonly title: string;
  readonly change: string;
  /** Where: the device's own page, its store, or a part of the registry. */
  readonly where?: 'device' | 'store' | 'campaigns' | 'devices' | 'contents';
}

const ADVICE: Partial<Record<RefusalCode, Advice>> = {
  malformed: { title: 'Not readable', change: 'The player sends something that is no strict JSON. Correct the player.' },
  too_large: { title: 'Too large', change: 'A log may have 16 KiB. Correct the player.' },
  invalid_field: {
    title: 'A field breaks its rule',
    change: 'The player sends a field that is wrong, missing or unknown; the detail names it. Correct the player.',
  },
  unknown_device: {
    title: 'Device not registered',
    change: 'Register the device with its key; it sends again by itself.',
    where: 'devices',
  },
  device_disabled: {
    title: 'Device switched off',
    change: 'It was inactive when the play ended. Switch it on if it is to play.',
    where: 'device',
  },
  unknown_key: {
    title: 'Key not registered',
    change: 'The device signs with a key that it does not have here. Register that key.',
    where: 'device',
  },
  key_not_valid: {
    title: 'Key not valid then',
    change: 'No key was valid when the play ended. Look at the validity of its keys.',
    where: 'device',
  },
  invalid_signature: {
    title: 'Signature does not fit',
    change: 'The log was changed after it was signed, or another key signed it. Compare the key on the screen with the one registered.',
    where: 'device',
  },
  log_id_conflict: {
    title: 'log_id used twice',
    change: 'Another content was accepted under this log_id. The player must make a new id for each showing and never change a signed log.',
  },
  in_future: { title: 'In the future', change: "The device's clock is ahead. Set it; it signs anew with the next play.", where: 'device' },
  too_old: {
    title: 'Too old',
    change: 'It arrived more than a day after the play. Look at the connection and the clock of the screen.',
    where: 'device',
  },
  duration_inconsistent: {
    title: 'Durations disagree',
    change: 'Durations, times and catalogue do not fit together. Look at the content’s duration, then at the player.',
    where: 'contents',
  },
  location_out_of_range: {
    title: 'Not at its store',
    change: 'The GPS is wrong, the screen was moved without being assigned anew, or the store lies elsewhere.',
    where: 'store',
  },
  unknown_campaign: {
    title: 'Campaign not registered',
    change: 'Register the campaign; the screens send again by themselves.',
    where: 'campaigns',
  },
  clock_skew: {
    title: 'Clock of the sender wrong',
    change: 'The send time differs from ours by more than ten minutes. Set the clock of the screen.',
  },
  unavailable: { title: 'Not answerable then', change: 'A part of the service was away; the screens send again by themselves.' },
  overloaded: { title: 'Too much at once', change: 'More came than could be answered in time; the screens send again by themselves.' },
  request_timeout: { title: 'Took too long to arrive', change: 'The connection is too slow; the screens send again by themselves.' },
  unsupported_media_type: { title: 'Form not read', change: 'Send application/json, without a Content-Encoding.' },
  internal: { title: 'Fault of the service', change: 'The log of the service says what happened.' },
};

export function adviceOf(code: string): Advice {
  return ADVICE[code as RefusalCode] ?? { title: code.replaceAll('_', ' '), change: 'The detail says what to change.' };
}
