/** The device SDK: sign each play, keep it on disk, send it until the service gave its final verdict. */
export type { LogResult } from './answer.ts';
export type { BackoffOptions } from './backoff.ts';
export { canonicalize } from './canonical-json.ts';
export { type Device, type DeviceOptions, type DeviceStats, openDevice } from './device.ts';
export { DeviceError, type DeviceErrorCode } from './errors.ts';
export { DurableQueue, type QueueEntry, type QueueOptions } from './queue.ts';
export type { SenderEvents, SenderStats } from './sender.ts';
export {
  buildLog,
  formatInstant,
  loadSigningKey,
  type PlaybackStatus,
  type PlayInput,
  type SignatureAlgorithm,
  type SignedLog,
  type SigningKey,
  signLog,
  type UnsignedLog,
} from './sign.ts';
export { createTransport, type PostAnswer, type PostRequest, type Transport } from './transport.ts';
export { createUuid7 } from './uuid7.ts';
