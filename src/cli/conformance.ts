/** `playproof conformance FILE`: signed cases with their verdicts, through the judging code that the service runs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import type { JudgedLogs } from '../accept/judge-request.ts';
import type { RegistryView } from '../accept/registry-view.ts';
import { CODES, type Code } from '../domain/codes.ts';
import { DEFAULT_RULES, REGISTRY_MAX_AGE_MS } from '../domain/limits.ts';
import { completionOf } from '../domain/play.ts';
import { parseTimestamp } from '../domain/timestamp.ts';
import { CommandFailed, EXIT_FAILED } from './errors.ts';
import { readBounded } from './files.ts';

const MAX_VECTORS_BYTES = 64 * 1024 * 1024;

interface Case {
  readonly name: string;
  readonly received_at: string;
  /** Base64 of the bytes sent to the endpoint for single logs. */
  readonly body: string;
  readonly expect: Readonly<Record<string, unknown>>;
}

type Verdict = Readonly<Record<string, unknown>>;

export function addConformance(program: Command): void {
  program
    .command('conformance')
    .description('judge every case of a vectors file at its received_at; name each difference; exit 1 on any')
    .argument('<file>', 'vectors file: {registry, cases: [{name, received_at, body, expect}]}')
    .action(async (file: string) => {
      const { registry, cases } = readVectors(file);
      const dataDir = mkdtempSync(path.join(tmpdir(), 'playproof-conformance-'));
      let failed = 0;
      try {
        const view = await openRegistry(dataDir, registry);
        for (const one of cases) {
          const differences = await differencesOf(one, view);
          if (differences.length === 0) continue;
          failed += 1;
          console.log(`FAILED  ${one.name}`);
          for (const difference of differences) console.log(`        ${difference}`);
        }
        view.close();
      } finally {
        rmSync(dataDir, { recursive: true, force: true });
      }
      if (failed > 0) process.exitCode = EXIT_FAILED;
      console.log(`${cases.length - failed} passed, ${failed} failed`);
    });
}

/** @throws CommandFailed */
function readVectors(file: string): { registry: unknown; cases: readonly Case[] } {
  let document: { registry?: unknown; cases?: unknown };
  try {
    document = JSON.parse(readBounded(file, MAX_VECTORS_BYTES).toString('utf8')) as typeof document;
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    throw new CommandFailed(`${file} is not JSON.`);
  }
  const { registry, cases } = document ?? {};
  const fits = Array.isArray(cases) && cases.length > 0 && cases.every(isCase);
  if (!fits || typeof registry !== 'object') throw new CommandFailed(`${file} is no vectors file: it needs a registry and cases.`);
  return { registry, cases };
}

function isCase(value: unknown): value is Case {
  const { name, received_at: receivedAt, body, expect } = (value ?? {}) as Partial<Case>;
  const texts = typeof name === 'string' && typeof receivedAt === 'string' && typeof body === 'string';
  return texts && typeof expect === 'object' && expect !== null && Object.keys(expect).length > 0;
}

/** The registry of the file, imported and read as the service does it. */
async function openRegistry(dataDir: string, registry: unknown): Promise<RegistryView> {
  const { importIntoFile } = await import('../registry/sqlite-import.ts');
  const { SqliteRegistryView } = await import('../registry/sqlite-view.ts');
  const { REGISTRY_FILE } = await import('../registry/database.ts');
  const registryFile = path.join(dataDir, REGISTRY_FILE);
  importIntoFile(registryFile, Buffer.from(JSON.stringify(registry)), 'json', Date.now());
  return new SqliteRegistryView(registryFile);
}

async function differencesOf(one: Case, view: RegistryView): Promise<string[]> {
  const receivedAt = parseTimestamp(one.received_at);
  if (receivedAt === undefined) return [`received_at "${one.received_at}" is no instant`];
  const { judgeRequests } = await import('../accept/judge-request.ts');
  const body = Buffer.from(one.body, 'base64');
  const request = { id: 0, batch: false, at: 0, length: body.length, receivedAt, deviceTime: null };
  const settings = { rules: DEFAULT_RULES, batchLogs: 100, requireDeviceTime: false, registryMaxAgeMs: REGISTRY_MAX_AGE_MS };
  const [judged] = await judgeRequests([{ request, body }], view, settings);
  const verdict = verdictOf(judged as JudgedLogs);
  return Object.entries(one.expect)
    .filter(([name, expected]) => !same(verdict[name], expected))
    .map(([name, expected]) => `${name}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(verdict[name]) ?? 'nothing'}`);
}

function same(got: unknown, expected: unknown): boolean {
  if (typeof got === 'number' && typeof expected === 'number') return Math.abs(got - expected) <= 1e-9;
  return JSON.stringify(got) === JSON.stringify(expected);
}

/** In the words of the vectors file. */
function verdictOf(judged: JudgedLogs): Verdict {
  if (judged.problem) return refusal(judged.problem.code, judged.problem.extra.fields);
  const result = judged.logs[0]?.result;
  if (!result) return {};
  if (result.outcome === 'unreadable') return refusal(result.code, result.fields ?? undefined);
  if (result.outcome === 'refused') return refusal(result.code, undefined);
  const { play } = result;
  return {
    outcome: 'accepted',
    status: play.status,
    reported_status: play.reportedStatus,
    billable: play.billable,
    store_id: play.storeId,
    supplier_id: play.supplierId,
    advertiser_id: play.advertiserId,
    content_hash: play.contentHash,
    completion: completionOf(play.durationActualMs, play.durationExpectedMs),
  };
}

function refusal(code: Code, fields: readonly string[] | undefined): Verdict {
  return { outcome: 'rejected', code, retryable: CODES[code].retryable, ...(fields && { fields }) };
}
