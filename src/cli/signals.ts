/**
 * Stopping. One Ctrl-C can arrive several times: the terminal sends it to every process of the group, and npm and the launcher hand it
 * on as well. So what arrives within a moment of the first signal is the same wish; only a later one means "now".
 */
const SAME_WISH_MS = 1_000;

/**
 * @param stop Called once, at the first SIGINT, SIGTERM or SIGHUP.
 * @param force Called when another comes after a moment.
 * @returns takes the handlers away again.
 */
export function onStopSignal(stop: () => void, force: () => void): () => void {
  let first: number | null = null;
  const handle = (): void => {
    const now = performance.now();
    if (first === null) {
      first = now;
      stop();
    } else if (now - first > SAME_WISH_MS) force();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, handle);
  return () => {
    for (const signal of signals) process.off(signal, handle);
  };
}
