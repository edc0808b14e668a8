/** The result of an audit for a person. */
import type { AuditResult } from './audit.ts';
import { type Finding, KINDS, type Kind } from './findings.ts';

/** Findings that are spelled out; JSON has more. */
const MAX_TOLD = 20;

export function summaryOf({ clean, positions, counts, found, findings }: AuditResult): string {
  const lines = findingLines(findings);
  if (positions) {
    const { end, settle, loaded, journalId } = positions;
    lines.push(`journal ${journalId}: positions up to ${end}, settled up to ${settle}, analytics loaded up to ${Math.min(loaded, settle)}`);
  }
  lines.push(
    `${counts.plays} plays in the feed, ${counts.owners} in the archive, ${counts.analytics_rows} rows of analytics compared, ` +
      `${counts.quarantine} refusals in quarantine, ${counts.waiting} records waiting to be settled; ` +
      provenText(counts),
  );
  return [...lines, ...closingLines(clean, found)].join('\n');
}

export function provenText({ proven, older_rules }: Pick<AuditResult['counts'], 'proven' | 'older_rules'>): string {
  const older = older_rules === 0 ? '' : `, ${older_rules} signatures whose verdicts an earlier version of the rules gave`;
  return `${proven} signatures and verdicts proven again${older}`;
}

export function findingLines(findings: readonly Finding[]): string[] {
  const lines = findings.slice(0, MAX_TOLD).map(({ kind, log_id, position, detail }) => {
    const where = [log_id === null ? '' : `log ${log_id}`, position === null ? '' : `position ${position}`].filter((part) => part !== '');
    return `FAULT  ${[kind, ...where].join(', ')}: ${detail}`;
  });
  if (findings.length > MAX_TOLD) lines.push(`       and ${findings.length - MAX_TOLD} more, listed by --json`);
  return lines;
}

export function closingLines(clean: boolean, found: AuditResult['found']): string[] {
  return [
    ...Object.entries(found).map(([kind, count]) => `${count} ${kind}: ${KINDS[kind as Kind]}`),
    clean ? 'clean: feed, archive and analytics hold the same plays' : 'NOT clean: see docs/operations.md, "The audit finds something"',
  ];
}
