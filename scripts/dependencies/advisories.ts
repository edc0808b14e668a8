/** What `npm audit --json` says, as one of three answers. */

export type Audited =
  | { readonly outcome: 'clean' | 'findings'; readonly told: string }
  /** The registry has no advisories, or was not reached: nothing was looked at. */
  | { readonly outcome: 'not asked'; readonly told: string };

/** Of this severity or above is a finding. */
const SEVERE = ['high', 'critical'];

interface Answer {
  readonly message?: string;
  readonly error?: { readonly code?: string; readonly summary?: string };
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string; readonly range: string }>>;
}

/** @throws Where npm could not do its part, as without a lock file: that is ours to mend. */
export function readAudit(output: string): Audited {
  const { message, error, vulnerabilities } = JSON.parse(output) as Answer;
  if (vulnerabilities === undefined) {
    if (message === undefined || error?.code !== undefined) throw new Error(`npm audit: ${error?.summary ?? output}`);
    return { outcome: 'not asked', told: message };
  }
  const known = Object.entries(vulnerabilities);
  const severe = known.filter(([, { severity }]) => SEVERE.includes(severity));
  const told = severe.map(([name, { severity, range }]) => `${severity}: ${name} ${range}`.trim());
  if (severe.length > 0) return { outcome: 'findings', told: told.join(', ') };
  return { outcome: 'clean', told: `no advisory of severity ${SEVERE.join(' or ')}; ${known.length} below` };
}
