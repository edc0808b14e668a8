/**
 * Settings: environment variables and a `.env` file (the environment wins), one schema. `playproof config` prints this table;
 * every fault is reported at once.
 */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { parseEnv } from 'node:util';
import { settingsFaults } from './kafka/settings.ts';
import { DEFAULT_RULES, REGISTRY_MAX_AGE_MS, type RuleSettings } from './domain/limits.ts';

type Kind = 'string' | 'secret' | 'integer' | 'number' | 'boolean' | 'list';

interface Setting {
  readonly kind: Kind;
  /** As it would be written in the environment; absent: not set. */
  readonly fallback?: string;
  readonly about: string;
  readonly min?: number;
  readonly max?: number;
  readonly oneOf?: readonly string[];
}

export const SETTINGS = {
  PLAYPROOF_HTTP_HOST: { kind: 'string', fallback: '127.0.0.1', about: 'Address to listen on' },
  PLAYPROOF_HTTP_PORT: { kind: 'integer', fallback: '8080', min: 0, max: 65_535, about: 'Port to listen on; 0 picks a free one' },
  PLAYPROOF_DATA_DIR: { kind: 'string', fallback: './data', about: 'Directory of the embedded engines; one process at a time' },
  PLAYPROOF_ADMIN_TOKEN: { kind: 'secret', about: 'Token of the administrator; without it one is made at the first start' },
  PLAYPROOF_PROFILE: {
    kind: 'string',
    fallback: 'embedded',
    oneOf: ['embedded', 'edge', 'cluster'],
    about: 'Which engines to run on: embedded needs nothing; edge journals on its own disk; cluster keeps nothing of its own',
  },
  PLAYPROOF_ROLES: {
    kind: 'list',
    fallback: 'accept,settle,analytics,query',
    oneOf: ['accept', 'settle', 'analytics', 'query'],
    about: 'Which parts this process runs',
  },
  PLAYPROOF_LOG_LEVEL: {
    kind: 'string',
    fallback: 'info',
    oneOf: ['silent', 'error', 'warn', 'info', 'debug'],
    about: 'Least level of the log lines',
  },
  PLAYPROOF_VERIFY_WORKERS: { kind: 'integer', fallback: '2', min: 1, max: 64, about: 'Threads that read, judge and verify logs' },
  PLAYPROOF_COMPLETION_THRESHOLD: {
    kind: 'number',
    fallback: String(DEFAULT_RULES.completionThreshold),
    min: 0,
    max: 1,
    about: 'Completion from which a claim of COMPLETED stands',
  },
  PLAYPROOF_MAX_AHEAD_SECONDS: {
    kind: 'integer',
    fallback: String(DEFAULT_RULES.maxAheadMs / 1000),
    min: 0,
    max: 86_400,
    about: 'How far ended_at may lie ahead of receipt, and the send time from it',
  },
  PLAYPROOF_MAX_AGE_SECONDS: {
    kind: 'integer',
    fallback: String(DEFAULT_RULES.maxAgeMs / 1000),
    min: 60,
    max: 31_536_000,
    about: 'How long before receipt a play may have ended',
  },
  PLAYPROOF_MAX_DISTANCE_METRES: {
    kind: 'number',
    fallback: String(DEFAULT_RULES.maxDistanceM),
    min: 0,
    max: 20_100_000,
    about: 'How far from its store a screen may say it is',
  },
  PLAYPROOF_BATCH_LOGS: { kind: 'integer', fallback: '100', min: 1, max: 1_000, about: 'Most logs in one batch' },
  PLAYPROOF_REQUIRE_CATALOGUE: { kind: 'boolean', fallback: 'false', about: 'Plays of content outside the catalogue are not billable' },
  PLAYPROOF_REQUIRE_SCREENSHOT: { kind: 'boolean', fallback: 'false', about: 'Logs without screenshot_hash are refused' },
  PLAYPROOF_REQUIRE_DEVICE_TIME: { kind: 'boolean', fallback: 'false', about: 'Requests that do not tell their send time are refused' },
  PLAYPROOF_QUARANTINE_PER_DEVICE: {
    kind: 'integer',
    fallback: '100',
    min: 0,
    max: 100_000,
    about: 'Refused logs without a proven signature that are kept for each device',
  },
  PLAYPROOF_MAX_IN_FLIGHT_BYTES: {
    kind: 'integer',
    fallback: String(192 * 1024 * 1024),
    min: 160 * 1024 * 1024,
    max: 4 * 1024 ** 3,
    about: 'Bodies held at once; more is answered 503',
  },
  PLAYPROOF_MAX_WAIT_MILLISECONDS: {
    kind: 'integer',
    fallback: '1000',
    min: 10,
    max: 60_000,
    about: 'Expected wait for an answer above which more is answered 503; 64 batches and 128 single logs are always taken',
  },
  PLAYPROOF_REQUEST_TIMEOUT_SECONDS: { kind: 'integer', fallback: '30', min: 1, max: 600, about: 'Time a request has to arrive' },
  PLAYPROOF_SHUTDOWN_SECONDS: { kind: 'integer', fallback: '15', min: 1, max: 300, about: 'Time that a graceful stop may take' },
  PLAYPROOF_DISK_RESERVE_BYTES: {
    kind: 'integer',
    fallback: String(16 * 1024 * 1024),
    min: 0,
    max: 1024 ** 4,
    about: 'Free space below which no log is taken; on a small disk at most a twentieth of it',
  },
  PLAYPROOF_INSTANCE: {
    kind: 'string',
    about: 'Stable name of this process among those that settle (profile cluster); the host name when unset',
  },
  PLAYPROOF_KAFKA_BROKERS: { kind: 'string', about: 'host:port, separated by commas (profiles edge and cluster)' },
  PLAYPROOF_KAFKA_PARTITIONS: { kind: 'integer', fallback: '12', min: 1, max: 1_000, about: 'Partitions of topics that are created here' },
  PLAYPROOF_KAFKA_ALLOW_WEAK: {
    kind: 'boolean',
    fallback: 'false',
    about: 'Take topics whose settings can lose records: a toy, not for billing',
  },
  PLAYPROOF_KAFKA_TLS: { kind: 'boolean', fallback: 'false', about: 'Talk TLS to the brokers' },
  PLAYPROOF_KAFKA_CA_FILE: { kind: 'string', about: 'PEM file of the authority that signed the certificates of the brokers' },
  PLAYPROOF_KAFKA_CERT_FILE: { kind: 'string', about: 'PEM file of our client certificate' },
  PLAYPROOF_KAFKA_KEY_FILE: { kind: 'string', about: 'PEM file of its private key' },
  PLAYPROOF_KAFKA_SASL_MECHANISM: {
    kind: 'string',
    oneOf: ['', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'],
    about: 'How to authenticate: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512',
  },
  PLAYPROOF_KAFKA_SASL_USERNAME: { kind: 'string', about: 'User name for SASL' },
  PLAYPROOF_KAFKA_SASL_PASSWORD: { kind: 'secret', about: 'Password for SASL' },
  PLAYPROOF_MONGODB_URL: { kind: 'secret', about: 'Connection string of the archive and registry (profiles edge and cluster)' },
  PLAYPROOF_REGISTRY_MAX_AGE_SECONDS: {
    kind: 'integer',
    fallback: String(REGISTRY_MAX_AGE_MS / 1000),
    min: 1,
    max: 86_400,
    about: 'Age of the view of the registry up to which logs are judged while MongoDB is away (profiles edge and cluster)',
  },
  PLAYPROOF_ANALYTICS_SKIP: {
    kind: 'string',
    about: 'Places of the feed, partition/offset[,…], that analytics leaves out where it cannot read them (profiles edge and cluster)',
  },
  PLAYPROOF_CLICKHOUSE_URL: { kind: 'secret', about: 'http(s)://user:password@host:port of analytics (profiles edge and cluster)' },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;
export type ProcessRole = 'accept' | 'settle' | 'analytics' | 'query';

export type Profile = 'embedded' | 'edge' | 'cluster';

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly adminToken: string | null;
  readonly profile: Profile;
  readonly roles: ReadonlySet<ProcessRole>;
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug';
  readonly verifyWorkers: number;
  readonly rules: RuleSettings;
  readonly batchLogs: number;
  readonly requireDeviceTime: boolean;
  /** How old the judges' view of the registry may be. */
  readonly registryMaxAgeMs: number;
  readonly quarantinePerDevice: number;
  readonly maxInFlightBytes: number;
  readonly maxWaitMs: number;
  readonly requestTimeoutMs: number;
  readonly shutdownMs: number;
  readonly diskReserveBytes: number;
  readonly instance: string;
  /** Null on the embedded profile. */
  readonly engines: EngineSettings | null;
}

/** Where the distributed engines are. */
export interface EngineSettings {
  readonly kafka: KafkaSettings;
  readonly mongodbUrl: string;
  readonly clickhouseUrl: string;
  /** `<partition>/<offset>` of records of the feed that analytics may leave out, where they cannot be read. */
  readonly analyticsSkip: readonly string[];
}

export interface KafkaSettings {
  readonly brokers: string;
  readonly partitions: number;
  readonly allowWeak: boolean;
  readonly tls: boolean;
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly saslMechanism: string | null;
  readonly saslUsername: string | null;
  readonly saslPassword: string | null;
}

/** Everything that is wrong with the settings, a sentence each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(
      `the settings have ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`,
    );
    this.faults = faults;
  }
}

/** The process environment over the `.env` file of `directory`. */
export function readEnvironment(directory = process.cwd()): Record<string, string | undefined> {
  const file = path.join(directory, '.env');
  const fromFile = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  return { ...fromFile, ...process.env };
}

/** @throws ConfigError naming every fault. */
export function loadConfig(environment: Record<string, string | undefined>): Config {
  const faults: string[] = [];
  const known = new Set<string>(Object.keys(SETTINGS));
  for (const name of Object.keys(environment)) {
    if (name.startsWith('PLAYPROOF_') && !known.has(name) && !name.startsWith('PLAYPROOF_FAILPOINT')) {
      faults.push(`${name} is not a setting; \`playproof config\` lists them`);
    }
  }
  const text = (name: SettingName): string | undefined => {
    const setting: Setting = SETTINGS[name];
    const given = environment[name];
    return given === undefined || given === '' ? setting.fallback : given;
  };
  const string = (name: SettingName): string => {
    const setting: Setting = SETTINGS[name];
    const value = text(name) ?? '';
    if (setting.oneOf && !setting.oneOf.includes(value))
      faults.push(`${name} is "${value}"; it must be one of ${setting.oneOf.join(', ')}`);
    return value;
  };
  const number = (name: SettingName): number => {
    const setting: Setting = SETTINGS[name];
    const value = text(name) ?? '';
    const shape = setting.kind === 'integer' ? /^\d{1,15}$/ : /^\d{1,15}(\.\d{1,6})?$/;
    const parsed = shape.test(value) ? Number(value) : Number.NaN;
    const min = setting.min ?? 0;
    const max = setting.max ?? Number.MAX_SAFE_INTEGER;
    if (!(parsed >= min && parsed <= max)) {
      faults.push(`${name} is "${value}"; it must be ${setting.kind === 'integer' ? 'a whole number' : 'a number'} from ${min} to ${max}`);
    }
    return parsed;
  };
  const boolean = (name: SettingName): boolean => {
    const value = text(name) ?? '';
    if (!['true', 'false', '1', '0'].includes(value)) faults.push(`${name} is "${value}"; it must be true or false`);
    return value === 'true' || value === '1';
  };
  const list = (name: SettingName): string[] => {
    const setting: Setting = SETTINGS[name];
    const values = (text(name) ?? '').split(',').map((value) => value.trim());
    for (const value of values) {
      if (!setting.oneOf?.includes(value)) faults.push(`${name} names "${value}"; it may name ${setting.oneOf?.join(', ')}`);
    }
    return values;
  };

  const adminToken = text('PLAYPROOF_ADMIN_TOKEN') ?? null;
  if (adminToken !== null && !isToken(adminToken))
    faults.push('PLAYPROOF_ADMIN_TOKEN must be 32 to 256 printable ASCII characters without spaces');
  const optional = (name: SettingName): string | null => (text(name) === undefined ? null : string(name));
  const profile = string('PLAYPROOF_PROFILE') as Profile;
  const needed = (name: SettingName): string => {
    if (text(name) === undefined) faults.push(`${name} must be set on the profile ${profile}`);
    return text(name) ?? '';
  };
  const places = (name: SettingName): string[] => {
    const values = (text(name) ?? '').split(',').map((value) => value.trim());
    const given = values.filter((value) => value !== '');
    for (const value of given) {
      if (!/^(0|[1-9]\d{0,9})\/(0|[1-9]\d{0,15})$/.test(value)) faults.push(`${name} names "${value}"; it must be partition/offset`);
    }
    return given;
  };
  const engines = (): EngineSettings => ({
    kafka: {
      brokers: needed('PLAYPROOF_KAFKA_BROKERS'),
      partitions: number('PLAYPROOF_KAFKA_PARTITIONS'),
      allowWeak: boolean('PLAYPROOF_KAFKA_ALLOW_WEAK'),
      tls: boolean('PLAYPROOF_KAFKA_TLS'),
      caFile: optional('PLAYPROOF_KAFKA_CA_FILE'),
      certFile: optional('PLAYPROOF_KAFKA_CERT_FILE'),
      keyFile: optional('PLAYPROOF_KAFKA_KEY_FILE'),
      saslMechanism: optional('PLAYPROOF_KAFKA_SASL_MECHANISM'),
      saslUsername: optional('PLAYPROOF_KAFKA_SASL_USERNAME'),
      saslPassword: optional('PLAYPROOF_KAFKA_SASL_PASSWORD'),
    },
    mongodbUrl: needed('PLAYPROOF_MONGODB_URL'),
    clickhouseUrl: needed('PLAYPROOF_CLICKHOUSE_URL'),
    analyticsSkip: places('PLAYPROOF_ANALYTICS_SKIP'),
  });
  const maxAheadMs = number('PLAYPROOF_MAX_AHEAD_SECONDS') * 1000;
  const config: Config = {
    host: string('PLAYPROOF_HTTP_HOST'),
    port: number('PLAYPROOF_HTTP_PORT'),
    dataDir: path.resolve(string('PLAYPROOF_DATA_DIR')),
    adminToken,
    profile,
    roles: new Set(list('PLAYPROOF_ROLES') as ProcessRole[]),
    logLevel: string('PLAYPROOF_LOG_LEVEL') as Config['logLevel'],
    verifyWorkers: number('PLAYPROOF_VERIFY_WORKERS'),
    rules: {
      completionThreshold: number('PLAYPROOF_COMPLETION_THRESHOLD'),
      maxAheadMs,
      maxAgeMs: number('PLAYPROOF_MAX_AGE_SECONDS') * 1000,
      maxDistanceM: number('PLAYPROOF_MAX_DISTANCE_METRES'),
      requireCatalogue: boolean('PLAYPROOF_REQUIRE_CATALOGUE'),
      requireScreenshot: boolean('PLAYPROOF_REQUIRE_SCREENSHOT'),
    },
    batchLogs: number('PLAYPROOF_BATCH_LOGS'),
    requireDeviceTime: boolean('PLAYPROOF_REQUIRE_DEVICE_TIME'),
    registryMaxAgeMs: number('PLAYPROOF_REGISTRY_MAX_AGE_SECONDS') * 1000,
    quarantinePerDevice: number('PLAYPROOF_QUARANTINE_PER_DEVICE'),
    maxInFlightBytes: number('PLAYPROOF_MAX_IN_FLIGHT_BYTES'),
    maxWaitMs: number('PLAYPROOF_MAX_WAIT_MILLISECONDS'),
    requestTimeoutMs: number('PLAYPROOF_REQUEST_TIMEOUT_SECONDS') * 1000,
    shutdownMs: number('PLAYPROOF_SHUTDOWN_SECONDS') * 1000,
    diskReserveBytes: number('PLAYPROOF_DISK_RESERVE_BYTES'),
    instance: text('PLAYPROOF_INSTANCE') ?? hostname(),
    engines: profile === 'embedded' ? null : engines(),
  };
  if (config.profile === 'embedded' && config.roles.size !== 4 && !faults.some((fault) => fault.startsWith('PLAYPROOF_ROLES'))) {
    faults.push('PLAYPROOF_ROLES: the embedded profile runs all four roles in one installation; leave it unset');
  }
  if (config.engines && config.engines.kafka.brokers !== '') faults.push(...settingsFaults(config.engines.kafka));
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

/** 32 to 256 printable ASCII characters; a space cannot travel in an Authorization header. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]{32,256}$/.test(text);
}
