/** What a node knows of logs that were acknowledged and that MongoDB does not have, since they are not settled yet. */
import { writeUuid } from '../domain/uuid.ts';
import type { Scope } from '../server/access.ts';

export interface WaitingLogs {
  /** Whether a play within `scope` waits under this log_id. Asked once the archive has answered that it has none. */
  has(logId: string, scope: Scope): Promise<boolean>;
  close(): void;
}

/**
 * Where the journal is on Kafka: a node remembers the ids of what it acknowledged in the last ten minutes, and nothing else of it. So
 * it tells only those who may see every play; others, and those who ask another node, hear that there is none until it is settled.
 */
export class AcknowledgedHere implements WaitingLogs {
  readonly #acknowledged: (logId: Uint8Array) => boolean;

  constructor(acknowledged: (logId: Uint8Array) => boolean) {
    this.#acknowledged = acknowledged;
  }

  async has(logId: string, { supplierId, advertiserId }: Scope): Promise<boolean> {
    if (supplierId !== null || advertiserId !== null) return false;
    const id = new Uint8Array(16);
    writeUuid(id, 0, logId);
    return this.#acknowledged(id);
  }

  close(): void {}
}
