/** What the demonstration says: lines for people, made from numbers. Pure. */
import { styleText } from 'node:util';
import { CODES } from '../domain/codes.ts';
import type { FleetProgress } from '../fleet/fleet.ts';
import type { CampaignTotals } from '../fleet/ledger.ts';
import { type Comparison, sumOf } from './compare.ts';

export type Style = (format: 'bold' | 'dim' | 'green' | 'red' | 'yellow', text: string) => string;

export const styled: Style = (format, text) => styleText(format, text, { validateStream: false });
export const plain: Style = (_, text) => text;

/** With a thin space for thousands where that helps the eye: 12 345. */
export function number(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ' ');
}

function seconds(milliseconds: number): string {
  const [whole = '0', rest = '0'] = (milliseconds / 1000).toFixed(1).split('.');
  return `${number(Number(whole))}.${rest}`;
}

/** Composed, every letter of the names here is one code unit. */
function widthOf(cell: string): number {
  return cell.normalize('NFC').length;
}

/** Columns wide enough for their cells; the first is set to the left, the others to the right. */
export function columns(rows: readonly (readonly string[])[], indent = '  '): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, widthOf(cell));
  return rows.map((row) => {
    const cells = row.map((cell, i) => {
      const gap = ' '.repeat((widths[i] as number) - widthOf(cell));
      return i === 0 ? cell + gap : gap + cell;
    });
    return indent + cells.join('  ').trimEnd();
  });
}

export function refusedCount(refusedByCode: Readonly<Record<string, number>>): number {
  return Object.values(refusedByCode).reduce((sum, count) => sum + count, 0);
}

export function progressLine(progress: FleetProgress): string {
  const at = `${String(Math.round(progress.elapsedMs / 1000)).padStart(4)} s`;
  const parts = [
    `sent ${number(progress.sent)}`,
    `accepted ${number(progress.accepted)}`,
    `billable ${number(progress.billable)}`,
    `duplicates ${number(progress.duplicates)}`,
    `refused ${number(refusedCount(progress.refusedByCode))}`,
    `queued ${number(progress.queued)}`,
    ...(progress.offline > 0 ? [`offline ${progress.offline}`] : []),
    ...(progress.clockSkews > 0 ? [`clocks set ${progress.clockSkews}`] : []),
  ];
  return `${at}   ${parts.join('   ')}`;
}

/** What became of every log that was sent. */
export function outcomeLines(result: FleetProgress, style: Style): string[] {
  const rows: { label: string; count: number; means: string }[] = [
    { label: 'sent', count: result.sent, means: 'messages of the fleet, honest, broken and forged, repeats included' },
    { label: 'accepted', count: result.accepted, means: 'proven: in the feed, the archive and the report, once' },
    { label: '  billable', count: result.billable, means: 'shown to at least 80 %: the advertiser pays' },
    { label: '  not billable', count: result.accepted - result.billable, means: 'partial, skipped or failed: kept, not paid' },
    { label: 'duplicates', count: result.duplicates, means: 'known already, counted once' },
    { label: 'refused', count: refusedCount(result.refusedByCode), means: 'each with its reason:' },
    ...Object.entries(result.refusedByCode)
      .sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1))
      .map(([code, count]) => ({ label: `  ${code}`, count, means: code in CODES ? CODES[code as keyof typeof CODES].title : '' })),
  ];
  if (result.conflictsTaken > 0) {
    rows.push({ label: 'conflicts', count: result.conflictsTaken, means: 'taken in, then set aside: another log had the log_id' });
  }
  if (result.undecided > 0)
    rows.push({ label: 'undecided', count: result.undecided, means: 'no final answer yet; still in the queue of a screen' });
  const width = Math.max(...rows.map(({ label }) => label.length));
  const digits = Math.max(...rows.map(({ count }) => number(count).length));
  return [
    style('bold', 'What became of every message'),
    ...rows.map(({ label, count, means }) => `  ${label.padEnd(width)}  ${number(count).padStart(digits)}   ${style('dim', means)}`),
    `  ${style('dim', `${result.clockSkews} times a screen was told that its clock is wrong, set it, and sent again.`)}`,
  ];
}

const cells = ({ plays, billable, billableMs }: Readonly<CampaignTotals>): string[] => [
  number(plays),
  number(billable),
  seconds(billableMs),
];

/** Both books side by side. */
export function comparisonLines(comparison: Comparison, style: Style): string[] {
  const rows = comparison.campaigns.map(({ name, reported, expected, undecided, equal }) => [
    name,
    ...cells(reported),
    '|',
    ...cells(expected),
    equal ? (undecided > 0 ? `equal, ${undecided} undecided` : 'equal') : 'NOT EQUAL',
  ]);
  const total = [
    'all campaigns',
    ...cells(sumOf(comparison.campaigns.map(({ reported }) => reported))),
    '|',
    ...cells(sumOf(comparison.campaigns.map(({ expected }) => expected))),
    comparison.equal ? 'equal' : 'NOT EQUAL',
  ];
  const head = ['campaign', 'plays', 'billable', 'seconds', '|', 'plays', 'billable', 'seconds', ''];
  const [titles = '', ...lines] = columns([head, ...rows, total]);
  return [
    style('bold', "Proof of play by campaign: the service's report | the fleet's own ledger"),
    style('dim', titles),
    ...lines.slice(0, -1).map((line) => (line.endsWith('NOT EQUAL') ? style('red', line) : line)),
    style(comparison.equal ? 'green' : 'red', lines.at(-1) ?? ''),
  ];
}
