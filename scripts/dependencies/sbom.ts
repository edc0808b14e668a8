/** One CycloneDX document out of those that npm writes for each lock file. */

interface Licence {
  readonly license?: { readonly id?: string; readonly name?: string };
  readonly expression?: string;
}

export interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly licenses?: readonly Licence[];
}

interface Dependency {
  readonly ref: string;
  readonly dependsOn?: readonly string[];
}

/** What is read of a document; the rest is kept as it is. */
export interface Sbom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly Dependency[];
}

/** The other documents' roots become components that the first one depends on. What stands in several of them is named once. */
export function merged(first: Sbom, ...others: readonly Sbom[]): Sbom {
  const components = new Map<string, Component>();
  const dependencies = new Map<string, Set<string>>();
  for (const sbom of [first, ...others]) {
    const own = sbom === first ? sbom.components : [sbom.metadata.component, ...sbom.components];
    for (const component of own) components.set(component['bom-ref'], component);
    for (const { ref, dependsOn = [] } of sbom.dependencies) {
      dependencies.set(ref, new Set([...(dependencies.get(ref) ?? []), ...dependsOn]));
    }
  }
  const root = first.metadata.component['bom-ref'];
  for (const { metadata } of others) dependencies.set(root, new Set([...(dependencies.get(root) ?? []), metadata.component['bom-ref']]));
  return {
    ...first,
    components: [...components.values()],
    dependencies: [...dependencies].map(([ref, on]) => ({ ref, dependsOn: [...on] })),
  };
}

/** How many components there are by licence, the most frequent first. Lock files do not name that of every platform's binary. */
export function licencesOf({ components }: Sbom): string {
  const counts = new Map<string, number>();
  for (const { licenses = [] } of components) {
    const named = licenses.map(({ license, expression }) => expression ?? license?.id ?? license?.name ?? 'unnamed').join(' and ');
    counts.set(named || 'not in the lock file', (counts.get(named || 'not in the lock file') ?? 0) + 1);
  }
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, n]) => `${name} ${n}`)
    .join(', ');
}
