/** An archive for tests of what lies around it: decides as the port says, and forgets nothing while its process lives. */
import type { Refusal } from '../../../src/domain/refusal.ts';
import type { ArchiveWriter, Claim, Claimed, Kept } from '../../../src/settle/ports.ts';
import type { QuarantineRow } from '../../contract/settlement.contract.ts';

interface Row {
  readonly refusal: Refusal;
  readonly positions: Set<string>;
}

export class MemoryArchive implements ArchiveWriter {
  readonly owners = new Map<string, { readonly position: string; readonly hash: string }>();
  readonly quarantined = new Map<string, Row>();
  readonly #keepUnproven: number;

  constructor(keepUnproven = 100) {
    this.#keepUnproven = keepUnproven;
  }

  claim(claims: readonly Claim[]): Promise<readonly Claimed[]> {
    return Promise.resolve(
      claims.map(({ logId, contentHash, position }) => {
        const [id, hash] = [Buffer.from(logId).toString('hex'), Buffer.from(contentHash).toString('hex')];
        const owner = this.owners.get(id);
        if (!owner) this.owners.set(id, { position, hash });
        if (!owner || owner.position === position) return 'owner';
        return owner.hash === hash ? 'duplicate' : 'conflict';
      }),
    );
  }

  quarantine(kept: readonly Kept[]): Promise<void> {
    for (const { refusal, position } of kept) {
      const key = `${refusal.logId} ${refusal.contentHash} ${refusal.code}`;
      const row = this.quarantined.get(key) ?? { refusal, positions: new Set() };
      row.positions.add(position);
      this.quarantined.set(key, row);
      if (!refusal.proven && refusal.deviceId !== null) this.#prune(refusal.deviceId);
    }
    return Promise.resolve();
  }

  /** `log_id hash` of every owner. */
  entries(): string[] {
    return [...this.owners].map(([id, { hash }]) => `${uuidText(id)} ${hash}`);
  }

  /** As a list of quarantine shows it, the oldest first. */
  rows(): QuarantineRow[] {
    return [...this.quarantined.values()].map(({ refusal: { logId, contentHash, code }, positions }) => ({
      logId,
      hash: contentHash,
      code,
      count: positions.size,
    }));
  }

  #prune(deviceId: string): void {
    const unproven = [...this.quarantined].filter(([, { refusal }]) => !refusal.proven && refusal.deviceId === deviceId);
    for (const [key] of unproven.slice(0, -this.#keepUnproven)) this.quarantined.delete(key);
  }
}

function uuidText(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
