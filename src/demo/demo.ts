/**
 * The demonstration: a service, a simulated fleet, and at the end what became of every message, with the service's report and the
 * fleet's own ledger side by side.
 */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runFleet, type FleetProgress, type FleetResult } from '../fleet/fleet.ts';
import { Ledger, type LedgerEntry, type ToldAnswer } from '../fleet/ledger.ts';
import type { World } from '../fleet/world.ts';
import { compareReport, type Comparison, type ReportRow } from './compare.ts';
import { comparisonLines, outcomeLines, plain, progressLine, type Style, styled } from './render.ts';

export interface DemoService {
  /** `http://127.0.0.1:8080`. */
  readonly address: string;
  readonly adminToken: string;
  close(): Promise<void>;
}

export interface DemoOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

export interface DemoOptions {
  /** Null: until `signal`. */
  readonly forMs: number | null;
  readonly seed: string;
  readonly screens: number;
  /** Steps a second; 200. */
  readonly rate?: number;
  readonly start: () => Promise<DemoService>;
  /** For the queues of the screens and the evidence files. */
  readonly dir: string;
  /** Where the data is kept: how to start the service on it again, and where it then listens. */
  readonly startAgain?: { readonly command: string; readonly address: string };
  /** Told of the fleet's world once it is registered. */
  readonly onWorld?: (world: World) => void;
  /** Asked when the fleet is done: true where somebody looks at the console. Then the service stays up until `signal`. */
  readonly isWatched?: () => boolean;
  /** Sets the ids apart from those of an earlier run on the same data. */
  readonly salt?: string;
  readonly out: DemoOutput;
  readonly signal: AbortSignal;
}

const FIRST_PLAYS = 5;
const EXAMPLES = 3;
/** A console that somebody left open does not keep a demonstration for ever. */
const MAX_STAY_MS = 3_600_000;
const REPORT_WAIT_MS = 60_000;
const LEDGER_KEEP = 200_000;

interface Page {
  readonly line: (text?: string) => void;
  readonly style: Style;
}

/**
 * @returns the exit code: 0 when the report equals the ledger and every answer was as the contract says, otherwise 1. Ctrl-C
 *   (`signal`) ends the playing early and changes nothing else.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { out, screens, seed } = options;
  const tty = out.isTTY === true;
  const style = tty ? styled : plain;
  const clear = tty ? '\r\u001b[2K' : '';
  const page: Page = { line: (text = '') => void out.write(`${clear}${text}\n`), style };
  page.line(style('bold', `Playproof demo: ${screens} screens, seed ${seed}`));
  page.line(style('dim', 'Making keys and starting the service …'));
  const service = await options.start();
  const ledger = new Ledger({ keep: LEDGER_KEEP });
  try {
    page.line(`${style('bold', 'Watch it:')} ${service.address}/console/   (the API: ${service.address}/docs)`);
    const result = await playFleet(options, service, ledger, page, tty);
    page.line();
    for (const text of outcomeLines(result, style)) page.line(text);
    page.line();
    const comparison = await settleAccounts(service, result);
    for (const text of comparisonLines(comparison, style)) page.line(text);
    reportSurprises(result, page);
    page.line();
    await showWhereToLook(options, service, result, page);
    if (options.isWatched?.() === true && !options.signal.aborted) {
      page.line();
      page.line(`${style('bold', 'You have the console open, so it stays:')} ${service.address}/console/   Ctrl-C ends it.`);
      await once(options.signal, 'abort', { signal: AbortSignal.timeout(MAX_STAY_MS) }).catch(() =>
        page.line('An hour has passed; the demonstration ends.'),
      );
    }
    return comparison.equal && result.unexpected === 0 ? 0 : 1;
  } finally {
    ledger.close();
    await service.close();
  }
}

async function playFleet(options: DemoOptions, service: DemoService, ledger: Ledger, page: Page, tty: boolean): Promise<FleetResult> {
  const { out, signal, seed, screens, dir, rate = 200 } = options;
  const shown = { screens: new Set<string>(), world: null as World | null };
  const started = performance.now();
  const onAnswer = (entry: LedgerEntry, answer: ToldAnswer): void => {
    if (shown.screens.size >= FIRST_PLAYS || shown.screens.has(entry.deviceId) || answer.outcome !== 'accepted' || !shown.world) return;
    if (shown.screens.size === 0) page.line(page.style('bold', 'The first accepted plays'));
    shown.screens.add(entry.deviceId);
    page.line(`  ${firstPlay(entry, answer, shown.world, performance.now() - started)}`);
  };
  const onProgress = (progress: FleetProgress): void => {
    if (tty) out.write(`\r\u001b[2K${progressLine(progress)}`);
    else page.line(progressLine(progress));
  };
  const result = await runFleet({
    baseUrl: service.address,
    adminToken: service.adminToken,
    seed,
    screens,
    rate,
    durationMs: options.forMs ?? Number.POSITIVE_INFINITY,
    dir: path.join(dir, 'screens'),
    signal,
    ledger,
    onAnswer,
    onProgress,
    onWorld: (world) => {
      shown.world = world;
      options.onWorld?.(world);
      const { stores, campaigns, contents } = world.registry;
      page.line(`Registered: ${stores.length} stores, ${screens + 1} screens, ${campaigns.length} campaigns, ${contents.length} contents`);
    },
    progressMs: tty ? 1000 : 2000,
    ...(options.salt !== undefined && { salt: options.salt }),
  });
  if (tty) page.line(progressLine(result));
  return result;
}

function firstPlay(entry: LedgerEntry, answer: ToldAnswer, world: World, elapsedMs: number): string {
  const campaign = [...world.campaigns, world.lateCampaign].find(({ campaignId }) => campaignId === entry.campaignId);
  const screen = world.screens.find(({ deviceId }) => deviceId === entry.deviceId);
  const paid = answer.billable === true ? 'billable' : 'not billable';
  const at = `after ${(elapsedMs / 1000).toFixed(1)} s`;
  return `${at}  ${campaign?.name ?? entry.campaignId}, ${screen?.store.name ?? entry.deviceId}: ${answer.status ?? ''}, ${paid}`;
}

/** The report, once it holds everything that was acknowledged. @throws Error when it does not get there in time. */
async function settleAccounts(service: DemoService, { ledger, world }: FleetResult): Promise<Comparison> {
  const campaigns = [...world.campaigns, world.lateCampaign];
  const query = campaigns.map(({ campaignId }) => `campaign_id=${campaignId}`).join('&');
  const until = performance.now() + REPORT_WAIT_MS;
  for (let trouble = ''; ; ) {
    try {
      const report = await get(service, `/api/v1/reports/plays?by=campaign_id&${query}`);
      const { rows, complete_until: completeUntil } = report as { rows: ReportRow[]; complete_until: string };
      if (Date.parse(completeUntil) > ledger.lastReceivedAt) {
        return compareReport(rows, ledger, new Map(campaigns.map(({ campaignId, name }) => [campaignId, name])));
      }
      trouble = `it is complete until ${completeUntil} only`;
    } catch (error) {
      trouble = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() > until) throw new Error(`the report was not complete within ${REPORT_WAIT_MS / 1000} s: ${trouble}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function reportSurprises({ unexpected, ledger, drained }: FleetResult, { line, style }: Page): void {
  if (!drained) line(style('yellow', '  Some screens could not empty their queues in time; their logs are undecided.'));
  if (unexpected === 0) return;
  line(style('red', `  ${unexpected} answers were not what the contract says:`));
  for (const text of ledger.unexpected().slice(0, 10)) line(style('red', `    ${text}`));
}

async function showWhereToLook(options: DemoOptions, service: DemoService, result: FleetResult, { line, style }: Page): Promise<void> {
  const examples = [...result.ledger.entries()]
    .filter((entry) => entry.settled === 'accepted' && entry.behaviour !== 'conflict')
    .slice(-EXAMPLES);
  const directory = path.join(options.dir, 'evidence');
  await mkdir(directory, { recursive: true });
  line(style('bold', 'Where to look next'));
  line('  Check plays offline, with nothing but their evidence:');
  for (const { logId } of examples) {
    const file = path.join(directory, `${logId}.json`);
    await writeFile(file, `${JSON.stringify(await get(service, `/api/v1/playback-logs/${logId}`), null, 2)}\n`);
    line(`    npx playproof verify ${file}`);
  }
  if (options.startAgain === undefined) return;
  line('  Start the service again on the data of this run:');
  line(`    ${options.startAgain.command}`);
  line('  and ask it:');
  const header = `-H 'Authorization: Bearer ${service.adminToken}'`;
  const asked = [
    'reports/plays?by=supplier_id,day',
    'quarantine?limit=5',
    'feed?limit=5',
    ...examples.slice(0, 1).map(({ logId }) => `playback-logs/${logId}`),
  ];
  for (const what of asked) line(`    curl -s ${header} '${options.startAgain.address}/api/v1/${what}'`);
}

async function get(service: DemoService, where: string): Promise<unknown> {
  const response = await fetch(service.address + where, {
    headers: { authorization: `Bearer ${service.adminToken}` },
    signal: AbortSignal.timeout(15_000),
  });
  if (!response.ok)
    throw new Error(`GET ${where.slice(0, 100)} was answered with HTTP ${response.status}: ${(await response.text()).slice(0, 500)}`);
  return response.json();
}
