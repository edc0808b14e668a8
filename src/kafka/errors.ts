/** What can be wrong between us and a cluster, told apart by what helps. */

/** No broker answered. It may help to try again. */
export class KafkaUnreachable extends Error {
  override readonly name = 'KafkaUnreachable';
}

/** A broker answered, and does not let us in or do what we ask. It does not help to try again; the sentence says what to change. */
export class KafkaRefused extends Error {
  override readonly name = 'KafkaRefused';
}

/** What a broker sent is not what the protocol says. */
export class WireError extends Error {
  override readonly name = 'WireError';
}
