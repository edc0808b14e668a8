/** What this package throws. `code` is stable; the message says what to do next. */
export type DeviceErrorCode =
  | 'invalid_play'
  | 'invalid_option'
  | 'queue_full'
  | 'queue_write_failed'
  | 'queue_failed'
  | 'queue_locked'
  | 'closed';

export class DeviceError extends Error {
  override readonly name = 'DeviceError';
  readonly code: DeviceErrorCode;

  constructor(code: DeviceErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
