/** Now, by the service's clock: this computer's may be wrong, and every figure is of the service's time. */
let offsetMs = 0;

/** @param text the `server_time` of an answer that came just now */
export function setServerTime(text: string): void {
  const server = Date.parse(text);
  if (Number.isFinite(server)) offsetMs = server - Date.now();
}

export function serverNow(): number {
  return Date.now() + offsetMs;
}

/** How far this computer's clock is behind the service's; negative: ahead. Milliseconds. */
export function clockOffset(): number {
  return offsetMs;
}
