import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readAudit } from '../../scripts/dependencies/advisories.ts';
import { LOCKED, lockFileOf, readProject } from '../../scripts/dependencies/lock-files.ts';
import { licencesOf, merged, type Sbom } from '../../scripts/dependencies/sbom.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly link?: boolean; readonly name?: string }>>;
}

function lockedIn(folder: string): string[] {
  return Object.entries((readProject(lockFileOf(folder)) as Lock).packages)
    .filter(([place, { link }]) => place.includes('node_modules/') && !link)
    .map(([place, { name, version }]) => `${name ?? place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${version}`);
}

describe('npm run sbom', () => {
  it('names every package of every lock file, once', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'playproof-sbom-'));
    try {
      const out = path.join(folder, 'sbom.json');
      execFileSync(process.execPath, [path.join(ROOT, 'scripts/sbom.ts'), '--out', out], { stdio: 'pipe' });
      const { components, metadata } = JSON.parse(readFileSync(out, 'utf8')) as Sbom;
      const refs = components.map((component) => component['bom-ref']);
      expect(refs.toSorted()).toEqual([...new Set(refs)].toSorted());
      expect(LOCKED.flatMap(lockedIn).filter((name) => !refs.includes(name))).toEqual([]);
      expect(refs.some((ref) => ref.startsWith('@confluentinc/kafka-javascript@'))).toBe(true);
      expect(metadata.component.name).toBe('playproof');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('joins what both documents have', () => {
    const of = (root: string, ...rest: string[]): Sbom => ({
      metadata: { component: { 'bom-ref': root, name: root } },
      components: rest.map((ref) => ({ 'bom-ref': ref, name: ref, licenses: [{ license: { id: 'MIT' } }] })),
      dependencies: [{ ref: root, dependsOn: rest }, ...rest.map((ref) => ({ ref, dependsOn: [root] }))],
    });
    const sbom = merged(of('a', 'x'), of('b', 'x', 'y'));
    expect(sbom.components.map(({ name }) => name)).toEqual(['x', 'b', 'y']);
    expect(sbom.dependencies).toEqual([
      { ref: 'a', dependsOn: ['x', 'b'] },
      { ref: 'x', dependsOn: ['a', 'b'] },
      { ref: 'b', dependsOn: ['x', 'y'] },
      { ref: 'y', dependsOn: ['b'] },
    ]);
    expect(licencesOf(sbom)).toBe('MIT 2, not in the lock file 1');
  });
});

describe('npm run audit:dependencies', () => {
  const found = (severity: string) =>
    JSON.stringify({ vulnerabilities: { pino: { severity, range: '<9' }, x: { severity: 'low', range: '' } } });

  it.each(['high', 'critical'])('a fault of severity %s is a finding, by name', (severity) => {
    expect(readAudit(found(severity))).toEqual({ outcome: 'findings', told: `${severity}: pino <9` });
  });

  it('what is below is counted, and none is clean', () => {
    expect(readAudit(found('moderate'))).toEqual({ outcome: 'clean', told: 'no advisory of severity high or critical; 2 below' });
    expect(readAudit('{"vulnerabilities":{}}').outcome).toBe('clean');
  });

  it('a registry that has no advisories, or is not there, is not taken for a clean one', () => {
    const refused = { message: '405 Method Not Allowed', statusCode: 405, error: { summary: '', detail: '' } };
    expect(readAudit(JSON.stringify(refused))).toEqual({ outcome: 'not asked', told: '405 Method Not Allowed' });
  });

  it('npm without a lock file is a fault of ours', () => {
    expect(() => readAudit('{"error":{"code":"ENOLOCK","summary":"This command requires an existing lockfile."}}')).toThrow('lockfile');
  });
});
