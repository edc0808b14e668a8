/** Random numbers and ids for a load: repeatable from a seed, and cheap. */

/** A number in [0, 1) on each call: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

const HEX = Array.from({ length: 0x1_0000 }, (_, i) => i.toString(16).padStart(4, '0'));

/** UUIDs of version 7 in growing order, or of version 4. Two sources with different seeds never meet in practice. */
export function uuids(version: 'v7' | 'v4', random: () => number, now: () => number): () => string {
  const word = (): string => HEX[Math.floor(random() * 0x1_0000)] as string;
  const variant = (): string => HEX[0x8000 | Math.floor(random() * 0x4000)] as string;
  if (version === 'v4') {
    return () => `${word()}${word()}-${word()}-4${word().slice(1)}-${variant()}-${word()}${word()}${word()}`;
  }
  let last = 0;
  let counter = 0;
  return () => {
    const time = now();
    if (time > last) {
      last = time;
      counter = 0;
    } else {
      counter += 1;
      if (counter === 0x1000) {
        last += 1;
        counter = 0;
      }
    }
    const head = last.toString(16).padStart(12, '0');
    return `${head.slice(0, 8)}-${head.slice(8)}-7${(HEX[counter] as string).slice(1)}-${variant()}-${word()}${word()}${word()}`;
  };
}
