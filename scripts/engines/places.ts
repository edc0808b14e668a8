/** Which engines, in which versions, and where they are kept. */
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '../..');

/** 4.4.0 came without `kafka-tools`, which the outside witness is part of. */
export const KAFKA_VERSION = '4.3.1';
export const SLF4J_VERSION = '1.7.36';
export const SECANTUS_VERSION = '0.7.0b3';
export const BENTO_VERSION = '1.10.0';

export const BENTO_SOURCE = path.join(ROOT, 'bench/peers/bento');
export const CLIENT_FOLDER = path.join(ROOT, 'engines/kafka-client');

/** Everything that is fetched or built; may be deleted at any time. */
export function cacheDirectory(): string {
  const given = process.env['PLAYPROOF_ENGINES_DIR'];
  return given ? path.resolve(given) : path.join(os.homedir(), '.cache/playproof-engines');
}

export function kafkaLibraries(): string {
  return path.join(cacheDirectory(), `kafka-${KAFKA_VERSION}`);
}

export function secantusServer(): string {
  return path.join(cacheDirectory(), `secantus-${SECANTUS_VERSION}/bin/secantusd-py`);
}

export function bentoProgram(): string {
  return path.join(cacheDirectory(), `bento-${BENTO_VERSION}/bento`);
}

/** The last file written by an install: without it, what is there is half done. */
export function completeMark(directory: string): string {
  return path.join(directory, '.complete');
}

/** @throws with the command to run when `directory` was not filled by the installer. */
export function assertInstalled(name: string, directory: string): void {
  if (!existsSync(completeMark(directory))) {
    throw new Error(`${name} is not installed in ${directory}; run \`npm run engines:install\` first`);
  }
}
