/** Fills a queue until it is killed: `queue-child.ts DIRECTORY FIRST`. Writes the number of each entry that is durable. */
import { writeSync } from 'node:fs';
import { DurableQueue } from '../../src/queue.ts';

const [directory = '', first = '0'] = process.argv.slice(2);
const queue = await DurableQueue.open({ directory, segmentBytes: 4096 });
for (let next = Number(first); ; next += 4) {
  await Promise.all(
    [0, 1, 2, 3].map(async (i) => {
      await queue.append(JSON.stringify({ log_id: String(next + i), filler: 'x'.repeat((next * 7 + i) % 200) }));
      writeSync(1, `${next + i}\n`);
    }),
  );
}
