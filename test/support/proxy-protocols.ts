/** The frames of the protocols that the proxy can look into. */

export interface Request {
  readonly kind: string;
  readonly id: number;
}

export interface Protocol {
  /** Bytes of the frame that begins here; null where too few are there to tell. */
  length(bytes: Buffer): number | null;
  request(frame: Buffer): Request | null;
  /** The id of the request that this frame answers. */
  answerTo(frame: Buffer): number;
}

export interface Frames {
  push(bytes: Buffer): Buffer[];
}

/** Makes whole frames of the bytes of one direction. */
export class FrameSplitter implements Frames {
  readonly #protocol: Protocol;
  #held: Buffer = Buffer.alloc(0);

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
  }

  push(bytes: Buffer): Buffer[] {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const frames: Buffer[] = [];
    for (;;) {
      const length = this.#protocol.length(this.#held);
      if (length === null || this.#held.length < length) return frames;
      frames.push(this.#held.subarray(0, length));
      this.#held = this.#held.subarray(length);
    }
  }
}

/** Kafka's api keys: https://kafka.apache.org/protocol#protocol_api_keys */
export const KAFKA = {
  produce: '0',
  addPartitionsToTxn: '24',
  addOffsetsToTxn: '25',
  endTxn: '26',
  txnOffsetCommit: '28',
} as const;

/** A request is length, api key, api version, correlation id; an answer is length, correlation id. */
export const kafkaProtocol: Protocol = {
  length: (bytes) => (bytes.length < 4 ? null : 4 + bytes.readInt32BE(0)),
  request: (frame) => ({ kind: String(frame.readInt16BE(4)), id: frame.readInt32BE(8) }),
  answerTo: (frame) => frame.readInt32BE(4),
};

const OP_MSG = 2013;
/** Behind header, flags, kind of section, length of the document and type of its first element, whose name is the command. */
const COMMAND_AT = 16 + 4 + 1 + 4 + 1;

/** Length, request id, id that is answered, kind of operation: all little-endian. */
export const mongoProtocol: Protocol = {
  length: (bytes) => (bytes.length < 4 ? null : bytes.readInt32LE(0)),
  request: (frame) => {
    if (frame.readInt32LE(12) !== OP_MSG) return null;
    return { kind: frame.toString('latin1', COMMAND_AT, frame.indexOf(0, COMMAND_AT)), id: frame.readInt32LE(4) };
  },
  answerTo: (frame) => frame.readInt32LE(8),
};
