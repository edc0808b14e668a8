/**
 * The partition that Java's client chooses for a key: `toPositive(murmur2(key)) % partitions`. Source: Kafka's
 * `org.apache.kafka.common.utils.Utils.murmur2` and `BuiltInPartitioner.partitionForKey`. librdkafka's `murmur2_random` agrees with it
 * for every key that is not empty.
 */
const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/** A signed 32-bit integer. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  const whole = length & ~3;
  let h = SEED ^ length;
  for (let i = 0; i < whole; i += 4) {
    let k = at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16) | (at(bytes, i + 3) << 24);
    k = Math.imul(k, M);
    k ^= k >>> R;
    h = Math.imul(h, M) ^ Math.imul(k, M);
  }
  const rest = length - whole;
  if (rest > 2) h ^= at(bytes, whole + 2) << 16;
  if (rest > 1) h ^= at(bytes, whole + 1) << 8;
  if (rest > 0) h = Math.imul(h ^ at(bytes, whole), M);
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}

/** @param partitions at least 1. */
export function javaPartition(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitions;
}

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}
