/**
 * Loads the Kafka client, which is native and stays outside the main dependencies: it lives in `engines/kafka-client`, comes by
 * `npm run engines:install`, and is loaded only where a Kafka backend is chosen.
 *
 * The addon does not load in a worker thread once the main thread has loaded it: whoever calls this in a worker must not call it in
 * the main thread as well.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Done, KafkaClient } from './client-types.ts';

const PACKAGE = '@confluentinc/kafka-javascript';
const FOLDER = path.resolve(import.meta.dirname, '../../engines/kafka-client');

/** The client cannot be loaded; the sentence says what to do. */
export class KafkaClientUnavailable extends Error {
  override readonly name = 'KafkaClientUnavailable';
}

/**
 * @param folder where the package is installed.
 * @throws KafkaClientUnavailable when it is absent, not built, or built for another Node.
 */
export async function loadKafkaClient(folder = FOLDER): Promise<KafkaClient> {
  try {
    const entry = createRequire(path.join(folder, 'package.json')).resolve(PACKAGE);
    const loaded = (await import(pathToFileURL(entry).href)) as { readonly default: KafkaClient };
    return loaded.default;
  } catch (error) {
    throw new KafkaClientUnavailable(sentence(error), { cause: error });
  }
}

function sentence(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  const message = error instanceof Error ? error.message : String(error);
  if ((code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND') && firstLine(message).includes(PACKAGE)) {
    return 'the Kafka client is not installed; run `npm run engines:install -- kafka-client` and start again';
  }
  if (message.includes('Could not locate the bindings file')) {
    return 'the Kafka client is installed but was not built; run `npm run engines:install -- kafka-client` and start again';
  }
  if (code === 'ERR_DLOPEN_FAILED') {
    return (
      `the Kafka client does not load in Node ${process.version}: ${firstLine(message)}. If it was built for another Node, run ` +
      '`npm run engines:install -- kafka-client` with this one; if this is a worker thread, the main thread must not load it too'
    );
  }
  return `the Kafka client does not load: ${firstLine(message)}. \`npm run engines:install -- kafka-client\` installs it anew`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

/**
 * One call of the callback interface as a promise: `await settled((done) => producer.flush(1000, done))`. Name the type where the
 * result is used: `await settled<Watermarks>((done) => …)`. Rejects with a KafkaError.
 */
export function settled<T = unknown>(start: (done: Done<T>) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error) reject(error);
      else resolve(value);
    });
  });
}
