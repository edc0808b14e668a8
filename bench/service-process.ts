/** The service under measurement: the composition root as it is, in a process of its own, told to stop over IPC. */
import { loadConfig } from '../src/config.ts';
import { run } from '../src/main.ts';

const service = await run(loadConfig(process.env));
process.on('message', (message) => {
  if (message === 'stop') void service.close();
});
process.on('disconnect', () => process.exit(1));
process.send?.({ type: 'listening', address: service.address });
process.exit(await service.closed);
