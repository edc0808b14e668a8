/** Bento, the peer: HTTP to Kafka without any proof (bench/peers/bento/pipeline.yaml). */
import { connect } from 'node:net';
import path from 'node:path';
import { bentoProgram, BENTO_SOURCE, BENTO_VERSION } from '../scripts/engines/places.ts';
import { freePort } from '../scripts/engines/ports.ts';
import { EngineProcess } from '../scripts/engines/process.ts';
import { type BenchEngines, PEER_TOPIC } from './kafka-engines.ts';

const READY_MS = 30_000;

export const PEER_NAME = `Bento ${BENTO_VERSION}`;

export interface Peer {
  readonly url: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/** @throws with the end of its log when it does not start. */
export async function startPeer(engines: BenchEngines): Promise<Peer> {
  await engines.createPeerTopic();
  const port = await freePort();
  const process = await EngineProcess.start({
    name: PEER_NAME,
    command: bentoProgram(),
    args: ['-c', path.join(BENTO_SOURCE, 'pipeline.yaml')],
    directory: engines.directory,
    logFile: path.join(engines.directory, 'bento.log'),
    env: { PEER_PORT: String(port), PEER_BROKERS: engines.bootstrap, PEER_TOPIC },
    outlives: false,
  });
  await process.ready(() => listens(port), READY_MS);
  return { url: `http://127.0.0.1:${port}`, pid: process.pid, stop: () => process.stop() };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
