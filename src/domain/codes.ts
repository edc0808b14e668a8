/**
 * The registry of codes: what a client is told when something is refused, with which HTTP status, and whether sending the
 * very same thing again can help. `docs/codes.md` lists the same codes; a test holds the two together.
 */
interface CodeEntry {
  readonly status: number;
  readonly retryable: boolean;
  readonly title: string;
}

export const CODES = {
  // The nine rules, in their order.
  malformed: { status: 400, retryable: false, title: 'The body is not a readable playback log' },
  too_large: { status: 413, retryable: false, title: 'More bytes or logs than are taken at once' },
  invalid_field: { status: 400, retryable: false, title: 'A field breaks its rule' },
  unknown_device: { status: 401, retryable: true, title: 'This device is not registered' },
  device_disabled: { status: 403, retryable: false, title: 'The device was not active when the play ended' },
  unknown_key: { status: 401, retryable: false, title: 'The device has no such key' },
  key_not_valid: { status: 401, retryable: false, title: 'No key of the device was valid when the play ended' },
  invalid_signature: { status: 401, retryable: false, title: 'The signature does not fit the log and the key' },
  log_id_conflict: { status: 409, retryable: false, title: 'This log_id stands for another log' },
  in_future: { status: 422, retryable: false, title: 'The play ends in the future' },
  too_old: { status: 422, retryable: false, title: 'The play ended too long ago' },
  duration_inconsistent: { status: 422, retryable: false, title: 'Durations, times and catalogue disagree' },
  location_out_of_range: { status: 422, retryable: false, title: 'The screen was not at its store' },
  unknown_campaign: { status: 422, retryable: true, title: 'This campaign is not registered' },
  // The whole request.
  clock_skew: { status: 422, retryable: true, title: "The sender's clock is wrong" },
  unavailable: { status: 503, retryable: true, title: 'A part that is needed cannot answer now' },
  overloaded: { status: 503, retryable: true, title: 'More is in flight than can be answered in time' },
  // Reading and administration.
  unauthorized: { status: 401, retryable: false, title: 'A valid bearer token is needed' },
  forbidden: { status: 403, retryable: false, title: 'The role of this token does not allow this' },
  not_found: { status: 404, retryable: false, title: 'There is nothing at this address' },
  not_settled: { status: 404, retryable: true, title: 'The log is acknowledged and not settled yet' },
  method_not_allowed: { status: 405, retryable: false, title: 'The address does not take this method' },
  request_timeout: { status: 408, retryable: true, title: 'The request took too long to arrive' },
  unsupported_media_type: { status: 415, retryable: false, title: 'The body is in a form that is not read' },
  headers_too_large: { status: 431, retryable: false, title: 'The request headers are too large' },
  invalid_parameter: { status: 400, retryable: false, title: 'A parameter of the address is wrong or unknown' },
  unknown_store: { status: 422, retryable: false, title: 'This store is not registered' },
  key_conflict: { status: 409, retryable: false, title: 'This key_id stands for another key' },
  id_retired: { status: 409, retryable: false, title: 'This id was retired and is never used again' },
  not_implemented: { status: 501, retryable: false, title: 'Not offered on this profile' },
  internal: { status: 500, retryable: true, title: 'A fault of the service' },
} as const satisfies Record<string, CodeEntry>;

export type Code = keyof typeof CODES;

/** Codes by their place in the registry, so that a record can carry a code in one byte. */
export const CODE_NAMES = Object.keys(CODES) as Code[];

/** Codes that a single log can be refused with. */
export const LOG_CODES = CODE_NAMES.slice(0, CODE_NAMES.indexOf('clock_skew'));
