/** The result of a distributed audit for a person. */
import { closingLines, findingLines, provenText } from '../summary.ts';
import type { EngineAuditResult } from './audit.ts';

export function engineSummaryOf({ clean, positions, counts, found, findings }: EngineAuditResult): string {
  const { journal, feed } = positions;
  const lag = feed.partitions.reduce((sum, { loaded, end, low }) => sum + Math.max(0, end - Math.max(loaded, low)), 0);
  const lines = [
    ...findingLines(findings),
    `journal ${journal.journal_id}: ${journal.partitions.map(({ partition, settled, end }) => `partition ${partition} settled up to ${settled ?? '?'} of ${end}`).join(', ')}`,
    `feed ${feed.topic}: ${feed.partitions.map(({ partition, loaded, end }) => `partition ${partition} loaded up to ${loaded} of ${end}`).join(', ')}${lag === 0 ? '' : `; analytics is behind by at most ${lag}`}`,
    `${counts.plays} plays in the feed, ${counts.owners} in the archive, ${counts.analytics_rows} rows of analytics, ` +
      `${counts.quarantine} refusals in quarantine, ${counts.waiting} records waiting to be settled, ${counts.retained} settled records still in the journal; ` +
      provenText(counts),
  ];
  if (counts.in_flight > 0) lines.push(`${counts.in_flight} archived logs were not published yet: no fault`);
  if (counts.not_retained > 0) lines.push(`${counts.not_retained} archived logs are not in the feed, which no longer has its beginning`);
  return [...lines, ...closingLines(clean, found)].join('\n');
}
