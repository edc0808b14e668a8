/**
 * From a request's bytes to judged logs: read strictly, check the send time, look up the registry, apply the rules. Runs in a
 * judge thread, where the CPU-bound work of a log belongs.
 */
import type { Code } from '../domain/codes.ts';
import type { FactSource } from '../domain/facts.ts';
import { REGISTRY_FRESH_MS, type RuleSettings } from '../domain/limits.ts';
import { type DecodedLog, decodeLog } from '../domain/playback-log.ts';
import { checkSendTime, type JudgeContext, type Judgement, judge } from '../domain/rules.ts';
import { type RawLog, readBatch, readSingleLog } from '../domain/strict-json.ts';
import { formatInstant, parseTimestamp } from '../domain/timestamp.ts';
import { readUsualBatch, readUsualLog, type UsualLog } from '../domain/usual-log.ts';
import { Problem, type ProblemExtra } from '../server/problem.ts';
import type { JobRequest } from './messages.ts';
import { type FactIds, RegistryUnavailable, type RegistryView } from './registry-view.ts';

export interface JudgeSettings {
  readonly rules: RuleSettings;
  readonly batchLogs: number;
  readonly requireDeviceTime: boolean;
  /** How old the view of the registry may be that logs are judged by. */
  readonly registryMaxAgeMs: number;
}

/** Refused before the rules of the registry: what could be read is kept. */
export interface Unreadable {
  readonly outcome: 'unreadable';
  readonly code: Code;
  readonly detail: string;
  readonly fields: readonly string[] | null;
  readonly logId: string | null;
  readonly deviceId: string | null;
  /** Whether `deviceId` is registered, and where it stands now. */
  readonly deviceKnown: boolean;
  readonly storeId: string | null;
  readonly supplierId: string | null;
  readonly advertiserId: null;
}

const NOWHERE = { deviceKnown: false, storeId: null, supplierId: null, advertiserId: null } as const;

export interface ReceivedRequest {
  readonly request: JobRequest;
  readonly body: Uint8Array;
}

export interface JudgedLog {
  readonly raw: Pick<RawLog, 'text'>;
  readonly decoded: DecodedLog | null;
  result: Judgement | Unreadable;
}

export type JudgedLogs =
  | { readonly problem: Problem }
  /** `memory` may be released once the logs are packed. */
  | { readonly problem: null; readonly logs: readonly JudgedLog[]; readonly memory: Uint8Array | null };

/**
 * Judges the requests of a job; the registry is looked at once for all of them. Never throws for what a client sent.
 *
 * @returns a result for each request, in their order
 */
export async function judgeRequests(
  received: readonly ReceivedRequest[],
  view: RegistryView,
  settings: JudgeSettings,
): Promise<readonly JudgedLogs[]> {
  const read = received.map(({ request, body }) => readRequest(request, body, settings));
  const readable = read.filter((request) => request.problem === null);
  if (readable.length > 0) await judgeLogs(readable, view, settings);
  return read;
}

async function judgeLogs(requests: readonly ReadableRequest[], view: RegistryView, settings: JudgeSettings): Promise<void> {
  const ids = { devices: new Set<string>(), campaigns: new Set<string>(), contents: new Set<string>() };
  for (const { logs } of requests) {
    for (const { decoded, result } of logs) {
      if (decoded) {
        ids.devices.add(decoded.deviceId);
        ids.campaigns.add(decoded.campaignId);
        ids.contents.add(decoded.contentId);
      } else if (result.outcome === 'unreadable' && result.deviceId !== null) ids.devices.add(result.deviceId);
    }
  }
  // Until the registry was asked every readable log stands as `unavailable`.
  const absent = await absentAfter(view, ids, settings.registryMaxAgeMs);
  if (absent === 'all') return;
  const resting: { readonly log: JudgedLog; readonly context: JudgeContext; readonly before: readonly unknown[] }[] = [];
  for (const { logs, context } of requests) {
    for (const log of logs) {
      if (!log.decoded) log.result = placed(log.result, view.facts);
      else if (!absent || !names(absent, log.decoded)) log.result = judge(log.decoded, view.facts, context);
      if (restsOnRegistry(log)) resting.push({ log, context, before: factsOf(log.decoded, view.facts) });
    }
  }
  if (resting.length === 0) return;
  const unread = await absentAfter(view, ids, REGISTRY_FRESH_MS);
  for (const { log, context, before } of resting) {
    if (!log.decoded) continue;
    // A refusal that could not be looked at again is none; the neighbours stand. The same facts give the same verdict.
    if (unread === 'all' || (unread && names(unread, log.decoded))) log.result = unavailable(log.decoded);
    else if (factsOf(log.decoded, view.facts).some((fact, i) => fact !== before[i])) log.result = judge(log.decoded, view.facts, context);
  }
}

/** Brings the view up to date. @returns what of it could not be read; null: everything is there */
async function absentAfter(view: RegistryView, ids: FactIds, maxAgeMs: number): Promise<FactIds | 'all' | null> {
  try {
    const loaded = view.prepare(ids, maxAgeMs);
    if (loaded) await loaded;
    return null;
  } catch (error) {
    if (error instanceof RegistryUnavailable) return error.missing ?? 'all';
    throw error;
  }
}

function names(ids: FactIds, log: DecodedLog): boolean {
  return ids.devices.has(log.deviceId) || ids.campaigns.has(log.campaignId) || ids.contents.has(log.contentId);
}

function restsOnRegistry({ result }: JudgedLog): boolean {
  return result.outcome === 'refused' && result.rests;
}

function factsOf(log: DecodedLog | null, facts: FactSource): readonly unknown[] {
  return log ? [facts.device(log.deviceId), facts.campaign(log.campaignId), facts.content(log.contentId)] : [];
}

function readLog(raw: RawLog, rules: RuleSettings): JudgedLog {
  if (raw.fault) {
    return { raw, decoded: null, result: { outcome: 'unreadable', ...raw.fault, fields: null, logId: null, deviceId: null, ...NOWHERE } };
  }
  const decoded = decodeLog(raw.value as object, rules);
  if (decoded.ok) return { raw, decoded: decoded.log, result: unavailable(decoded.log) };
  const { detail, fields, logId, deviceId } = decoded;
  return { raw, decoded: null, result: { outcome: 'unreadable', code: 'invalid_field', detail, fields, logId, deviceId, ...NOWHERE } };
}

/** What a log is answered until the registry was asked. */
function unavailable(log: DecodedLog): Unreadable {
  // Made for every log, so without spreading one object into another.
  return {
    outcome: 'unreadable',
    code: 'unavailable',
    detail: 'The registry cannot be asked right now; send the same log again.',
    fields: null,
    logId: log.logId,
    deviceId: null,
    deviceKnown: false,
    storeId: null,
    supplierId: null,
    advertiserId: null,
  };
}

/** A log that could not be read is kept for the screen that it names, where that is registered. */
function placed(result: JudgedLog['result'], facts: FactSource): JudgedLog['result'] {
  const device = result.outcome === 'unreadable' && result.deviceId !== null ? facts.device(result.deviceId) : null;
  if (result.outcome !== 'unreadable' || !device) return result;
  const store = device.assignments.at(-1)?.store;
  return { ...result, deviceKnown: true, storeId: store?.storeId ?? null, supplierId: store?.supplierId ?? null };
}

/** Read, and not judged yet: its logs' results are filled in. */
interface ReadableRequest {
  readonly problem: null;
  readonly logs: readonly JudgedLog[];
  readonly memory: Uint8Array | null;
  readonly context: JudgeContext;
}

type ReadRequest = { readonly problem: Problem } | ReadableRequest;

/** The send time comes first, for the whole request: with a wrong clock nothing in it is judged. */
function readRequest(request: JobRequest, body: Uint8Array, settings: JudgeSettings): ReadRequest {
  const told = request.deviceTime !== null;
  const headerFault = told ? sendTimeFault(request.deviceTime, 'header Device-Time', {}, request.receivedAt, settings.rules) : null;
  if (headerFault) return { problem: headerFault };
  const read = readBody(request, body, settings);
  if (read instanceof Problem) return { problem: read };
  const { sentAt } = read;
  const bodyFault =
    sentAt === null ? null : sendTimeFault(sentAt, 'field sent_at', { fields: ['/sent_at'] }, request.receivedAt, settings.rules);
  if (bodyFault) return { problem: bodyFault };
  const clockChecked = told || sentAt !== null;
  if (!clockChecked && settings.requireDeviceTime) {
    const detail = 'This service wants to know the send time: set the header Device-Time, or sent_at in a batch.';
    return { problem: new Problem('invalid_field', detail, request.batch ? { fields: ['/sent_at'] } : {}) };
  }
  const context = { receivedAt: request.receivedAt, clockChecked, rules: settings.rules };
  return { problem: null, logs: read.logs(), memory: read.memory, context };
}

interface ReadBody {
  readonly sentAt: string | null;
  /** Decoded only when the send time was found to be right. */
  readonly logs: () => readonly JudgedLog[];
  readonly memory: Uint8Array | null;
}

/** Tries the short way of the usual spelling first; everything else is read strictly, and every refusal comes from there. */
function readBody({ batch }: JobRequest, body: Uint8Array, { batchLogs, rules }: JudgeSettings): ReadBody | Problem {
  const usual = batch ? readUsualBatch(body, batchLogs) : readUsualLog(body);
  if (usual && suits(usual.logs, rules)) return { ...usual, logs: () => usual.logs.map(ofUsual) };
  const read = batch ? readBatch(body, batchLogs) : readSingleLog(body);
  if (!read.ok) return new Problem(read.code, read.detail, read.fields ? { fields: read.fields } : {});
  const { sentAt, logs } = 'logs' in read.value ? read.value : { sentAt: null, logs: [read.value] };
  return { sentAt, logs: () => logs.map((raw) => readLog(raw, rules)), memory: null };
}

/** A log that lacks what the settings demand is refused, by the strict reader. */
function suits(logs: readonly UsualLog[], { requireScreenshot }: RuleSettings): boolean {
  return !requireScreenshot || logs.every(({ decoded }) => decoded.screenshotHash !== null);
}

function ofUsual(log: UsualLog): JudgedLog {
  return { raw: log, decoded: log.decoded, result: unavailable(log.decoded) };
}

function sendTimeFault(text: string | null, where: string, extra: ProblemExtra, receivedAt: number, rules: RuleSettings): Problem | null {
  const sentAt = parseTimestamp(text ?? '');
  if (sentAt === undefined)
    return new Problem('invalid_field', `The ${where} must be an RFC 3339 instant such as 2026-11-20T09:30:00.000Z.`, extra);
  if (checkSendTime(sentAt, receivedAt, rules)) return null;
  const seconds = Math.round((sentAt - receivedAt) / 1000);
  const detail = `The send time is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the server; set the clock by server_time and send again.`;
  return new Problem('clock_skew', detail, { members: { server_time: formatInstant(receivedAt) } });
}
