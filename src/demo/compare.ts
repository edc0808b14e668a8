/** The service's report held against the fleet's own ledger, campaign by campaign. */
import type { CampaignTotals, Ledger } from '../fleet/ledger.ts';
import { emptyTotals } from '../fleet/ledger.ts';

/** One row of `GET /api/v1/reports/plays?by=campaign_id`, as far as it is compared. */
export interface ReportRow {
  readonly campaign_id: string;
  readonly plays: number;
  readonly billable: number;
  readonly completed: number;
  readonly partial: number;
  readonly skipped: number;
  readonly error: number;
  readonly billable_seconds: number;
}

export interface CampaignComparison {
  readonly name: string;
  readonly reported: Readonly<CampaignTotals>;
  readonly expected: Readonly<CampaignTotals>;
  /** Plays whose answer the fleet never got: each may be in the report or not. */
  readonly undecided: number;
  readonly equal: boolean;
}

export interface Comparison {
  readonly campaigns: readonly CampaignComparison[];
  readonly equal: boolean;
}

const COLUMNS = ['plays', 'billable', 'completed', 'partial', 'skipped', 'error', 'billableMs'] as const satisfies (keyof CampaignTotals)[];

/** @param names of every campaign of the fleet, by id. A campaign in the report that the fleet does not have is unequal too. */
export function compareReport(rows: readonly ReportRow[], ledger: Ledger, names: ReadonlyMap<string, string>): Comparison {
  const expectedById = ledger.expectedReport();
  const reportedById = new Map(rows.map((row) => [row.campaign_id, totalsOf(row)]));
  const undecidedById = undecidedPlays(ledger);
  const campaigns = [...new Set([...names.keys(), ...expectedById.keys(), ...reportedById.keys()])].map((id): CampaignComparison => {
    const reported = reportedById.get(id) ?? emptyTotals();
    const expected = expectedById.get(id) ?? emptyTotals();
    const open = undecidedById.get(id) ?? emptyTotals();
    const equal = COLUMNS.every((column) => reported[column] >= expected[column] && reported[column] <= expected[column] + open[column]);
    return { name: names.get(id) ?? id, reported, expected, undecided: open.plays, equal };
  });
  return { campaigns, equal: campaigns.every(({ equal }) => equal) };
}

function totalsOf(row: ReportRow): CampaignTotals {
  const { plays, billable, completed, partial, skipped, error } = row;
  return { plays, billable, completed, partial, skipped, error, billableMs: Math.round(row.billable_seconds * 1000) };
}

function undecidedPlays(ledger: Ledger): Map<string, CampaignTotals> {
  const open = new Map<string, CampaignTotals>();
  for (const { settled, expected, campaignId, durationActualMs } of ledger.entries()) {
    if (settled !== null || expected.outcome !== 'accepted') continue;
    const totals = open.get(campaignId) ?? emptyTotals();
    totals.plays += 1;
    totals[expected.status.toLowerCase() as 'completed' | 'partial' | 'skipped' | 'error'] += 1;
    if (expected.billable) {
      totals.billable += 1;
      totals.billableMs += durationActualMs;
    }
    open.set(campaignId, totals);
  }
  return open;
}

export function sumOf(totals: readonly Readonly<CampaignTotals>[]): CampaignTotals {
  const sum = emptyTotals();
  for (const one of totals) for (const column of COLUMNS) sum[column] += one[column];
  return sum;
}
