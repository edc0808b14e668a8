/**
 * The log of the process: one JSON object a line, to stderr, so that what a command prints on stdout stays clean. It carries no
 * personal data, signature, token or body: what might is cut out by name, even where a caller passes it by mistake.
 */
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import type { Config } from '../config.ts';

const SECRET = ['authorization', 'token', 'adminToken', 'signature', 'canonical', 'body', 'privateKey', 'location', 'cookie'];
const REDACTED = SECRET.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** @param destination Stderr unless told otherwise. Writes are synchronous: the last lines before a crash are there. */
export function createLogger(config: Pick<Config, 'logLevel'>, destination: DestinationStream = pino.destination(2)): Logger {
  return pino(
    {
      level: config.logLevel,
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED, censor: '[left out]' },
    },
    destination,
  );
}
