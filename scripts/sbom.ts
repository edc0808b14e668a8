/** Writes the software bill of materials: one CycloneDX document for all lock files. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { askNpm, LOCKED, lockFileOf, readProject } from './dependencies/lock-files.ts';
import { licencesOf, merged, type Sbom } from './dependencies/sbom.ts';

const USAGE = `Usage: npm run sbom -- [options]

Writes one CycloneDX document of what package-lock.json and engines/kafka-client/package-lock.json hold, on every platform, and
prints how many components there are, by licence.

  --out FILE     where to (sbom.json)
  --omit dev     only what runs
  --help         this text`;

const { values } = parseArgs({
  options: { out: { type: 'string', default: 'sbom.json' }, omit: { type: 'string' }, help: { type: 'boolean' } },
});
if (values.help) console.log(USAGE);
else main(values.out);

function main(out: string): void {
  const [first, ...others] = LOCKED.map(sbomOf) as [Sbom, ...Sbom[]];
  const sbom = merged(named(first), ...others);
  writeFileSync(out, `${JSON.stringify(sbom, null, 2)}\n`);
  console.log(`${out}: ${sbom.components.length} components of ${LOCKED.map(lockFileOf).join(' and ')}`);
  console.log(`licences: ${licencesOf(sbom)}`);
}

function sbomOf(folder: string): Sbom {
  const args = ['sbom', '--sbom-format', 'cyclonedx', ...(values.omit === undefined ? [] : ['--omit', values.omit])];
  const { output, said } = askNpm(folder, args);
  if (output === '') throw new Error(`npm ${args.join(' ')} for ${lockFileOf(folder)} failed:\n${said}`);
  return JSON.parse(output) as Sbom;
}

/** npm calls the project by its folder. */
function named(sbom: Sbom): Sbom {
  const { name } = readProject('package.json') as { readonly name: string };
  return { ...sbom, metadata: { ...sbom.metadata, component: { ...sbom.metadata.component, name } } };
}
