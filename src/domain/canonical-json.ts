import { hash } from 'node:crypto';
import type { PlaybackLogMessage } from './playback-log-schema.ts';

/**
 * The RFC 8785 form of a log without its signature: what the device signed. The log has to be one that `decodeLog` takes, so its
 * members are known and their sorted order is written down here, and of its strings only key_id can hold anything that has to
 * be escaped. JSON.stringify escapes as RFC 8785 wants, and numbers turn into text as ECMAScript does it, which RFC 8785 adopts
 * (-0 becomes 0). What is null stays null, what is absent stays absent.
 */
export function canonicalLog(log: PlaybackLogMessage): string {
  const { key_id: keyId, location, screenshot_hash: screenshot } = log;
  let text = `{"campaign_id":"${log.campaign_id}","content_id":"${log.content_id}","device_id":"${log.device_id}","duration_actual":`;
  text += `${log.duration_actual},"duration_expected":${log.duration_expected},"ended_at":"${log.ended_at}"`;
  if (keyId !== undefined) text += `,"key_id":${JSON.stringify(keyId)}`;
  if (location === null) text += ',"location":null';
  else if (location !== undefined) text += `,"location":{"lat":${location.lat},"lng":${location.lng}}`;
  text += `,"log_id":"${log.log_id}"`;
  if (screenshot === null) text += ',"screenshot_hash":null';
  else if (screenshot !== undefined) text += `,"screenshot_hash":"${screenshot}"`;
  return `${text},"started_at":"${log.started_at}","status":"${log.status}"}`;
}

/** SHA-256 of the canonical bytes, lower-case hex. */
export function contentHashOf(canonical: Uint8Array): string {
  return hash('sha256', canonical, 'hex');
}
