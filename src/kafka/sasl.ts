/** Authentication of our own connection: PLAIN (RFC 4616) and SCRAM (RFC 5802) within Kafka's SaslAuthenticate. */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { KafkaRefused } from './errors.ts';
import type { BrokerConnection } from './wire.ts';

const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATE = 36;
/** Kafka's brokers take 4 096 to 16 384; more would let a false broker keep us busy. */
const MIN_ITERATIONS = 4_096;
const MAX_ITERATIONS = 1_000_000;

const derive = promisify(pbkdf2);

/** @throws KafkaRefused with the broker's own reason. */
export async function authenticate(
  connection: BrokerConnection,
  broker: string,
  mechanism: string,
  username: string,
  password: string,
): Promise<void> {
  const handshake = await connection.ask(SASL_HANDSHAKE, 1, (request) => request.string(mechanism));
  const code = handshake.int16();
  const offered = handshake.array(() => handshake.string());
  if (code !== 0) {
    throw new KafkaRefused(
      `${broker} does not take ${mechanism}; it takes ${offered.join(', ') || 'no SASL'}: see PLAYPROOF_KAFKA_SASL_MECHANISM`,
    );
  }
  const say = async (message: Buffer): Promise<Buffer> => {
    const answer = await connection.ask(SASL_AUTHENTICATE, 0, (request) => request.bytes(message));
    const refused = answer.int16();
    const reason = answer.nullableString();
    if (refused !== 0) {
      throw new KafkaRefused(
        `${broker} refuses the credentials (${reason ?? `code ${refused}`}): see PLAYPROOF_KAFKA_SASL_USERNAME and _PASSWORD`,
      );
    }
    return answer.bytes();
  };
  if (mechanism === 'PLAIN') await say(Buffer.from(`\0${username}\0${password}`, 'utf8'));
  else await scram(say, broker, mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512', username, password);
}

async function scram(
  say: (message: Buffer) => Promise<Buffer>,
  broker: string,
  hash: 'sha256' | 'sha512',
  username: string,
  password: string,
): Promise<void> {
  const nonce = randomBytes(24).toString('base64url');
  const clientFirst = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  const serverFirst = (await say(Buffer.from(`n,,${clientFirst}`, 'utf8'))).toString('utf8');
  const attributes = attributesOf(serverFirst);
  const bothNonces = attributes.get('r') ?? '';
  const iterations = Number(attributes.get('i'));
  const sane =
    bothNonces.startsWith(nonce) && bothNonces.length > nonce.length && iterations >= MIN_ITERATIONS && iterations <= MAX_ITERATIONS;
  if (!sane) throw new KafkaRefused(`${broker} does not follow SCRAM: it may not be the broker it says it is`);

  const salted = await derive(
    password.normalize('NFKC'),
    Buffer.from(attributes.get('s') ?? '', 'base64'),
    iterations,
    hash === 'sha256' ? 32 : 64,
    hash,
  );
  const hmac = (key: Buffer, text: string): Buffer => createHmac(hash, key).update(text).digest();
  // "biws" is the base64 of "n,,": no channel binding.
  const withoutProof = `c=biws,r=${bothNonces}`;
  const signed = `${clientFirst},${serverFirst},${withoutProof}`;
  const clientKey = hmac(salted, 'Client Key');
  const clientSignature = hmac(createHash(hash).update(clientKey).digest(), signed);
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (clientSignature[index] as number)));
  const serverFinal = attributesOf((await say(Buffer.from(`${withoutProof},p=${proof.toString('base64')}`, 'utf8'))).toString('utf8'));

  // The broker has to know the password too.
  const expected = hmac(hmac(salted, 'Server Key'), signed);
  const given = Buffer.from(serverFinal.get('v') ?? '', 'base64');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new KafkaRefused(`${broker} could not prove that it knows the password: it may not be the broker it says it is`);
  }
}

function attributesOf(message: string): Map<string, string> {
  return new Map(message.split(',').map((part) => [part.slice(0, 1), part.slice(2)] as const));
}
