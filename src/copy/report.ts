/** What a copy did, or would do, for a person. */
import type { Copied, Looked } from '../compose/copy.ts';
import type { RegistryTaken } from './copy.ts';

/** Conflicts that are spelled out; JSON has all. */
const MAX_TOLD = 20;

export function conflictsOf(registry: RegistryTaken): string[] {
  return Object.values(registry).flatMap(({ conflicts }) => conflicts);
}

export function copiedText({ settledFirst, registry, quarantine, plays }: Copied): string {
  const { total, before, published, duplicates, conflicts } = plays;
  const lines = [
    ...(settledFirst > 0 ? [`${settledFirst} records that waited were settled first`] : []),
    registryText(registry, ''),
    `quarantine: ${quarantine} rows with their counts`,
    `plays: ${total}; ${before} were there from an earlier run, ${published} published now, ${duplicates} were there from elsewhere`,
    ...conflictLines(registry),
  ];
  if (conflicts > 0)
    lines.push(
      `CONFLICT  ${conflicts} plays have another content there under their log_id: that one stands, these are in quarantine as log_id_conflict`,
    );
  lines.push(
    conflicts + conflictsOf(registry).length > 0
      ? 'copied; what is named above stands otherwise there: see docs/operations.md, "Moving up from embedded"'
      : 'copied: everything is there',
  );
  return lines.join('\n');
}

export function lookedText({ running, mark, source, topics, playsBefore, registry }: Looked): string {
  const { plays, waiting, quarantine, tokens, entries } = source;
  const lines = [
    `the source holds ${plays} plays, ${quarantine} rows of quarantine, ${waiting} records that wait to be settled, ` +
      `${entries.store} stores, ${entries.device} devices, ${entries.campaign} campaigns, ${entries.content} contents, ${tokens} tokens`,
    `plays: ${playsBefore} are there from an earlier run, ${plays - playsBefore} would be copied`,
    registryText(registry, 'would be '),
    ...conflictLines(registry),
    ...(topics.missing.length > 0 ? [`topics that would be made: ${topics.missing.join(', ')}`] : []),
    ...topics.faults.map((fault) => `TO DO  ${fault}`),
    ...(running ? ['TO DO  stop the service that uses the data directory'] : []),
    ...(mark && mark.state !== 'open' ? [`the source is marked as ${mark.state} since ${mark.since}`] : []),
    'nothing was changed',
  ];
  return lines.join('\n');
}

function registryText(registry: RegistryTaken, would: string): string {
  const parts = Object.entries(registry).map(([kind, { added, changed, same }]) => {
    const completed = changed > 0 ? `, ${changed} ${would}completed` : '';
    const left = same > 0 ? `, ${same} as they are` : '';
    return `${kind}s ${added} ${would}added${completed}${left}`;
  });
  return `registry: ${parts.join('; ')}`;
}

function conflictLines(registry: RegistryTaken): string[] {
  const conflicts = conflictsOf(registry);
  const told = conflicts.slice(0, MAX_TOLD).map((conflict) => `CONFLICT  ${conflict}`);
  if (conflicts.length > MAX_TOLD) told.push(`          and ${conflicts.length - MAX_TOLD} more, listed by --json`);
  return [...told, ...Object.values(registry).flatMap(({ notes }) => notes.map((note) => `NOTE  ${note}`))];
}
