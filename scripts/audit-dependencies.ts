/** Asks the registry for advisories on what each lock file holds. */
import { readAudit } from './dependencies/advisories.ts';
import { askNpm, LOCKED, lockFileOf } from './dependencies/lock-files.ts';

const USAGE = `Usage: npm run audit:dependencies

\`npm audit\` over package-lock.json and engines/kafka-client/package-lock.json. Exit code 1 on advisories of severity high or critical.
Where the registry's advisories cannot be reached it says so, and ends with 0.`;

/** A registry that does not answer is not waited for. */
const QUICKLY = ['--fetch-retries=0', '--fetch-timeout=20000'];

if (process.argv.includes('--help')) console.log(USAGE);
else {
  for (const folder of LOCKED) {
    const { outcome, told } = readAudit(askNpm(folder, ['audit', '--json', ...QUICKLY]).output);
    if (outcome === 'not asked') console.log(`${lockFileOf(folder)}: NOT CHECKED, the registry's advisories cannot be reached: ${told}`);
    else console.log(`${lockFileOf(folder)}: ${told}`);
    if (outcome === 'findings') process.exitCode = 1;
  }
}
