/**
 * Builds the console into `console/dist`. `npm ci` runs it, so that `npm start` and `npm run demo` find it made. Plain JavaScript: it
 * runs on the Node that npm runs on, before anything else is known to work.
 *
 * It never fails an installation: without the build tools (`npm ci --omit=dev`) or without room on the disk, the service still takes
 * logs, and says at `/console/` how to make the console.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

// Whatever the environment is set to: the libraries' development versions are three times as large.
process.env.NODE_ENV = 'production';

try {
  const { build } = await import('vite');
  await build({ root, logLevel: 'error' });
  console.log('The console is built: console/dist');
} catch (error) {
  console.error(`The console was not built: ${error instanceof Error ? error.message : String(error)}`);
  console.error('The service works without it; `npm run prepare` builds it.');
}
