/** Stands for the service: keeps a settling process as the service does, tells what that says, and can be killed. */
import type { KafkaSettings } from '../../../src/config.ts';
import type { FromSettler, SettleOptions, ToSettler } from '../../../src/settle/settle-messages.ts';
import { fork } from 'node:child_process';

export type FromParent =
  | { readonly type: 'child'; readonly pid: number }
  | { readonly type: 'said'; readonly message: FromSettler }
  | { readonly type: 'ended'; readonly code: number | null };

export interface ParentOptions {
  readonly settings: KafkaSettings;
  readonly names: NonNullable<SettleOptions['topicNames']>;
  readonly groupId: string;
  readonly mongodbUrl: string;
}

const child = fork(new URL('../../../src/settle/settle-process.ts', import.meta.url), [], { serialization: 'advanced' });
const tell = (message: FromParent): void => void process.send?.(message);
child.on('message', (message) => tell({ type: 'said', message: message as FromSettler }));
child.once('exit', (code) => tell({ type: 'ended', code }));

process.on('message', (order: ParentOptions | 'stop') => {
  if (order === 'stop') {
    child.send({ type: 'stop' } satisfies ToSettler);
    return;
  }
  const { settings: kafka, names: topicNames, groupId, mongodbUrl } = order;
  const source = { kind: 'kafka', groupId, instance: 'one' } as const;
  const options: SettleOptions = { kafka, topicNames, mongodbUrl, quarantinePerDevice: 10, source };
  child.send({ type: 'start', options } satisfies ToSettler);
  tell({ type: 'child', pid: child.pid as number });
});
process.on('disconnect', () => process.exit());
