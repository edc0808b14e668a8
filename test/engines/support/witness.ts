/**
 * The outside witness: Java's own console consumer. What is on a topic is counted with it, never with the client that the code under
 * test uses.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { javaArguments } from '../../../scripts/engines/java.ts';

export interface WitnessedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly timestampType: 'CreateTime' | 'LogAppendTime';
  readonly headers: ReadonlyMap<string, string>;
  /** As UTF-8; null where there is none. */
  readonly key: string | null;
  readonly value: string | null;
}

export interface WitnessOptions {
  /** False: it also sees records of transactions that were aborted or are open. */
  readonly readCommitted: boolean;
  readonly bootstrap: string;
  /** It ends when nothing came for this long. */
  readonly idleMs?: number;
  /** It ends earlier when it has this many. */
  readonly maxRecords?: number;
  /** Further settings of the consumer, e.g. for TLS. */
  readonly consumer?: Readonly<Record<string, string>>;
}

const CONSUMER = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
const HEAP_MEGABYTES = 512;

/** Characters that no text of ours holds: a record's parts, its headers, records, and what is absent. */
const PART = '\u0001';
const HEADER = '\u0002';
const RECORD = '\u0003\n';
const ABSENT = '\u0004';

const PRINTED = ['partition', 'offset', 'timestamp', 'headers', 'key', 'value'];

/** Everything on the topic from its beginning, in the order of each partition. Values are taken for UTF-8. */
export async function javaConsume(topic: string, options: WitnessOptions): Promise<WitnessedRecord[]> {
  return Array.fromAsync(javaRecords(topic, options));
}

/** The same one by one, for topics of any size. @throws Error with what the consumer wrote, when it fails. */
export async function* javaRecords(topic: string, options: WitnessOptions): AsyncGenerator<WitnessedRecord> {
  const child = spawn('java', [...javaArguments(CONSUMER, HEAP_MEGABYTES, 'error'), ...consumerArguments(topic, options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = `${complaint}${text}`.slice(-2_000);
  });
  try {
    let rest = '';
    for await (const text of child.stdout.setEncoding('utf8')) {
      const records = `${rest}${text as string}`.split(RECORD);
      rest = records.pop() ?? '';
      for (const record of records) yield parse(record);
    }
    const [code] = (await ended) as [number | null];
    if (code !== 0 || rest !== '') throw new Error(`${CONSUMER} failed with code ${code}: ${rest.slice(-2_000)}\n${complaint}`);
  } finally {
    child.kill('SIGKILL');
  }
}

function consumerArguments(
  topic: string,
  { bootstrap, readCommitted, idleMs = 6_000, maxRecords, consumer = {} }: WitnessOptions,
): string[] {
  const formatter = [
    ...PRINTED.map((part) => `print.${part}=true`),
    `key.separator=${PART}`,
    `headers.separator=${HEADER}`,
    `line.separator=${RECORD}`,
    `null.literal=${ABSENT}`,
  ];
  const isolation = readCommitted ? 'read_committed' : 'read_uncommitted';
  const reading = ['--bootstrap-server', bootstrap, '--topic', topic, '--from-beginning', '--isolation-level', isolation];
  return [
    ...reading,
    '--timeout-ms',
    String(idleMs),
    ...(maxRecords === undefined ? [] : ['--max-messages', String(maxRecords)]),
    ...Object.entries(consumer).flatMap(([name, value]) => ['--command-property', `${name}=${value}`]),
    ...formatter.flatMap((property) => ['--formatter-property', property]),
  ];
}

/** `CreateTime:17000 Partition:0 Offset:5 name:value,… key value`, with our separator for the spaces. */
function parse(text: string): WitnessedRecord {
  const parts = text.split(PART);
  const [time = '', partition = '', offset = '', headers = '', key = '', ...rest] = parts;
  const [timestampType = '', timestamp = ''] = time.split(':');
  if (parts.length !== PRINTED.length || (timestampType !== 'CreateTime' && timestampType !== 'LogAppendTime')) {
    throw new Error(`the console consumer wrote something else: ${JSON.stringify(text.slice(0, 500))}`);
  }
  return {
    partition: Number(partition.replace('Partition:', '')),
    offset: Number(offset.replace('Offset:', '')),
    timestamp: Number(timestamp),
    timestampType,
    headers: headersOf(headers),
    key: key === ABSENT ? null : key,
    value: rest[0] === ABSENT ? null : (rest[0] ?? ''),
  };
}

function headersOf(text: string): Map<string, string> {
  if (text === 'NO_HEADERS') return new Map();
  return new Map(
    text.split(HEADER).map((header) => {
      const colon = header.indexOf(':');
      return [header.slice(0, colon), header.slice(colon + 1)] as const;
    }),
  );
}
