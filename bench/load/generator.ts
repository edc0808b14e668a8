/** The load generator's process. It is told what to do by bench/main.ts and does one thing after another. */
import { Fleet } from './fleet.ts';
import { send } from './loops.ts';
import type { FromGenerator, ToGenerator } from './messages.ts';
import { Recording } from './recording.ts';
import { Requests } from './requests.ts';

let requests: Requests | null = null;

function tell(message: FromGenerator): void {
  process.send?.(message);
}

async function take(message: ToGenerator): Promise<void> {
  if (message.type === 'fleet') {
    const fleet = new Fleet(message.options);
    requests = new Requests(fleet);
    tell({ type: 'fleet', registry: fleet.registry });
    return;
  }
  if (!requests) throw new Error('a load needs a fleet first');
  if (message.type === 'prepare') {
    const start = performance.now();
    const logs = requests.prepare(message.batch, message.logs, message.megabytes * 1024 * 1024);
    tell({ type: 'prepared', logs, seconds: (performance.now() - start) / 1000 });
    return;
  }
  if (message.type === 'write') {
    requests.write(message.batch, message.logs, message.files);
    tell({ type: 'written' });
    return;
  }
  requests.signedLate = 0;
  const recording = new Recording((second) => tell({ type: 'second', second }));
  await send(message.load, requests, recording);
  tell({ type: 'done', result: recording.finish(requests.signedLate) });
}

process.on('message', (message: ToGenerator) => {
  take(message).catch((error: unknown) => {
    console.error('the load generator failed:', error);
    process.exit(1);
  });
});
process.on('disconnect', () => process.exit(0));
