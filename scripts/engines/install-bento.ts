/** Bento, the peer of `npm run bench -- --only kafka`: built with Go from its module, as there is no package of it. Not installed by default. */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bentoProgram, BENTO_SOURCE, BENTO_VERSION, cacheDirectory, completeMark } from './places.ts';
import { InstallError, isOnPath, run, say } from './run.ts';

const MODULE = 'github.com/warpstreamlabs/bento';
const REMIND_MS = 30_000;

/** @throws InstallError when there is no Go, or the build fails. */
export async function installBento(): Promise<void> {
  const program = bentoProgram();
  const target = path.dirname(program);
  const label = `Bento ${BENTO_VERSION}`;
  if (existsSync(completeMark(target))) {
    say(`${label}: already there`);
    return;
  }
  if (!isOnPath('go')) throw new InstallError(`${label} is built with Go, which is not on the path; install it (go.dev/dl) and try again`);
  await mkdir(cacheDirectory(), { recursive: true });
  const temporary = await mkdtemp(path.join(cacheDirectory(), '.bento-'));
  say(`${label}: fetching its modules and building it; this takes two to ten minutes`);
  const reminder = setInterval(() => say(`${label}: still building`), REMIND_MS);
  try {
    await copyFile(path.join(BENTO_SOURCE, 'main.go'), path.join(temporary, 'main.go'));
    await writeFile(path.join(temporary, 'go.mod'), `module peer\n\ngo 1.25\n\nrequire ${MODULE} v${BENTO_VERSION}\n`);
    const program_ = path.join(temporary, 'bento');
    await run('go', ['build', '-mod=mod', '-trimpath', '-ldflags', '-s -w', '-o', program_, '.'], { cwd: temporary });
    await run(program_, ['--version'], { timeoutMs: 60_000 });
    await writeFile(completeMark(temporary), `${BENTO_VERSION}\n`);
    // Moved when complete, so that a stopped build leaves nothing that looks whole.
    await rm(target, { recursive: true, force: true });
    await rename(temporary, target);
    say(`${label}: built`);
  } finally {
    clearInterval(reminder);
    await rm(temporary, { recursive: true, force: true });
  }
}
