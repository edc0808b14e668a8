/**
 * One connection to one broker, for the few questions that the native client cannot ask: the cluster's id and the settings of a topic.
 * Questions go out one after the other; nothing here is on the way of a log.
 */
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { KafkaSettings } from '../config.ts';
import { KafkaRefused, KafkaUnreachable, WireError } from './errors.ts';
import { authenticate } from './sasl.ts';
import { type BrokerAddress, brokerAddresses, tlsContext } from './settings.ts';
import { WireReader, WireWriter } from './wire-codec.ts';

const CLIENT_ID = 'playproof';
const CONNECT_MS = 5_000;
const ANSWER_MS = 10_000;
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

export class BrokerConnection {
  readonly #socket: Socket;
  readonly #name: string;
  #correlation = 0;
  #received = Buffer.alloc(0);

  constructor(socket: Socket, name: string) {
    this.#socket = socket;
    this.#name = name;
  }

  /**
   * Asks one question; the caller reads the answer in the same version. `flexible`: a version with compact types and tags.
   *
   * @throws KafkaUnreachable when the connection ends or the answer takes longer than 10 s.
   */
  async ask(apiKey: number, version: number, write: (request: WireWriter) => void, flexible = false): Promise<WireReader> {
    if (this.#socket.destroyed) throw unreachable(this.#name, 'it closed the connection');
    this.#correlation += 1;
    const request = new WireWriter().int16(apiKey).int16(version).int32(this.#correlation).string(CLIENT_ID);
    if (flexible) request.noTags();
    write(request);
    this.#socket.write(new WireWriter().bytes(request.done()).done());
    const reader = new WireReader(await this.#frame());
    if (reader.int32() !== this.#correlation) throw new WireError(`${this.#name} answered another question`);
    if (flexible) reader.skipTags();
    return reader;
  }

  close(): void {
    this.#socket.destroy();
  }

  #frame(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const socket = this.#socket;
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        socket.off('data', onData).off('error', onError).off('close', onClose);
        act();
      };
      const onError = (error: NodeJS.ErrnoException): void => settle(() => reject(faultOf(this.#name, error)));
      const onClose = (): void =>
        settle(() => reject(unreachable(this.#name, 'it closed the connection; a port that wants TLS or authentication does that')));
      const timer = setTimeout(() => settle(() => reject(unreachable(this.#name, `no answer within ${ANSWER_MS / 1000} s`))), ANSWER_MS);
      const onData = (chunk: Buffer): void => {
        this.#received = Buffer.concat([this.#received, chunk]);
        if (this.#received.length < 4) return;
        const length = this.#received.readInt32BE();
        if (length < 0 || length > MAX_ANSWER_BYTES) {
          settle(() => reject(new WireError(`${this.#name} does not speak Kafka's protocol; is its port one for TLS?`)));
        } else if (this.#received.length >= 4 + length) {
          const frame = this.#received.subarray(4, 4 + length);
          this.#received = this.#received.subarray(4 + length);
          settle(() => resolve(frame));
        }
      };
      socket.on('data', onData).on('error', onError).on('close', onClose);
    });
  }
}

/**
 * Does something with the first broker of the list that answers; with the next one, from its beginning, when that broker falls silent.
 *
 * @throws KafkaUnreachable naming what each of them said; KafkaRefused; KafkaSettingsError; what `act` throws.
 */
export async function withAnyBroker<T>(settings: KafkaSettings, act: (connection: BrokerConnection) => Promise<T>): Promise<T> {
  const failures: string[] = [];
  for (const address of brokerAddresses(settings.brokers)) {
    let connection: BrokerConnection | null = null;
    try {
      connection = await connectTo(address, settings);
      return await act(connection);
    } catch (error) {
      if (!(error instanceof KafkaUnreachable)) throw error;
      failures.push(error.message);
    } finally {
      connection?.close();
    }
  }
  throw new KafkaUnreachable(`no broker of PLAYPROOF_KAFKA_BROKERS answers as it should: ${failures.join('; ')}`);
}

async function connectTo(address: BrokerAddress, settings: KafkaSettings): Promise<BrokerConnection> {
  const name = `${address.host}:${address.port}`;
  const connection = new BrokerConnection(await open(address, name, settings), name);
  try {
    const { saslMechanism, saslUsername, saslPassword } = settings;
    if (saslMechanism !== null) await authenticate(connection, name, saslMechanism, saslUsername ?? '', saslPassword ?? '');
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function open(address: BrokerAddress, name: string, settings: KafkaSettings): Promise<Socket> {
  const socket = settings.tls
    ? connectTls({ ...tlsContext(settings), ...address, ...(/^[\d.]+$|:/.test(address.host) ? {} : { servername: address.host }) })
    : connectPlain(address);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(unreachable(name, `no connection within ${CONNECT_MS / 1000} s`));
    }, CONNECT_MS);
    socket.once(settings.tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      // Each question has its own; between two of them an error shows as a close.
      socket.on('error', () => undefined);
      resolve(socket);
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(faultOf(name, error));
    });
  });
}

/** A fault of TLS stays; everything else may pass. */
function faultOf(name: string, error: NodeJS.ErrnoException): Error {
  if (isTlsFault(error)) return new KafkaRefused(`${name}: ${tlsSentence(error)}`, { cause: error });
  if (error.message.includes('before secure TLS connection')) {
    return unreachable(name, 'it closed the connection; a port without TLS does that', error);
  }
  return unreachable(name, error.message, error);
}

function isTlsFault({ code = '' }: NodeJS.ErrnoException): boolean {
  return /^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code);
}

function tlsSentence(error: NodeJS.ErrnoException): string {
  if (error.code?.startsWith('ERR_SSL_WRONG_VERSION') || error.code?.startsWith('ERR_SSL_PACKET')) {
    return 'this port does not speak TLS; take another one or set PLAYPROOF_KAFKA_TLS=false';
  }
  return `its certificate is not trusted, or it does not take ours (${error.message.trim()}); see PLAYPROOF_KAFKA_CA_FILE and _CERT_FILE`;
}

function unreachable(name: string, what: string, cause?: Error): KafkaUnreachable {
  return new KafkaUnreachable(`${name}: ${what}`, cause === undefined ? {} : { cause });
}
