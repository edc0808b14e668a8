/**
 * A settler in a process of its own, for tests that kill or stop it. Its archive calls everything an owner: whatever is published
 * twice then shows, since nothing behind the feed makes up for it.
 */
import type { KafkaSettings } from '../../../src/config.ts';
import { loadKafkaClient } from '../../../src/kafka/client.ts';
import { connectionConfig } from '../../../src/kafka/settings.ts';
import { settleUntil } from '../../../src/settle/engine-loop.ts';
import { EngineSettlement } from '../../../src/settle/engine-settlement.ts';
import type { KafkaTopics } from '../../../src/settle/kafka-begin.ts';
import { KafkaSettleLog } from '../../../src/settle/kafka-settle-log.ts';

export interface SettlerOptions {
  readonly settings: KafkaSettings;
  readonly topics: KafkaTopics;
  readonly groupId: string;
  readonly instance: string;
  readonly sessionTimeoutMs: number;
  /** Between claiming and publishing, so that a test can stop it there. */
  readonly pauseMs: number;
}

export type SettlerSays =
  | { readonly type: 'claimed'; readonly records: number }
  | { readonly type: 'settled'; readonly records: number }
  | { readonly type: 'failure'; readonly name: string; readonly message: string };

process.on('disconnect', () => process.exit(0));
const say = (message: SettlerSays): void => {
  if (process.connected) process.send?.(message);
};

const onWarning = (message: string): void => say({ type: 'failure', name: 'warning', message });

process.on('message', ({ settings, topics, groupId, instance, sessionTimeoutMs, pauseMs }: SettlerOptions) => {
  const run = async (): Promise<void> => {
    const client = await loadKafkaClient();
    const config = connectionConfig(settings);
    const log = await KafkaSettleLog.open({ client, config, topics, groupId, instance, sessionTimeoutMs, onWarning });
    const settlement = new EngineSettlement({
      log,
      archive: {
        claim: async (claims) => {
          say({ type: 'claimed', records: claims.length });
          if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
          return claims.map(() => 'owner' as const);
        },
        quarantine: async () => {},
      },
      onPoison: (position) => say({ type: 'failure', name: 'poison', message: position }),
      now: Date.now,
    });
    const end = await settleUntil(new AbortController().signal, {
      // Small steps: more transactions for a kill to fall into.
      settlement: { step: () => settlement.step(200) },
      onStep: ({ taken }) => say({ type: 'settled', records: taken }),
      onFailure: ({ name, message }) => say({ type: 'failure', name, message }),
    });
    process.exitCode = end === 'left' ? 3 : 4;
    setTimeout(() => process.exit(), 50);
  };
  run().catch((error: Error) => {
    say({ type: 'failure', name: error.name, message: error.message });
    setTimeout(() => process.exit(1), 50);
  });
});
