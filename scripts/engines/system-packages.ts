/** What comes from Debian: commands, and the libraries the Kafka client is built against. */
import { InstallError, isOnPath, run, say } from './run.ts';

/** Commands and the packages that bring them. @throws InstallError naming what is missing and cannot be installed. */
export async function needCommands(commands: Readonly<Record<string, string>>): Promise<void> {
  const missing = Object.entries(commands).filter(([command]) => !isOnPath(command));
  await install(
    missing.map(([, debian]) => debian),
    missing.map(([command]) => command).join(', '),
  );
}

/** Packages by name. */
export async function needPackages(packages: readonly string[]): Promise<void> {
  if (!isOnPath('dpkg-query')) return;
  const listed = await run('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\\n']);
  const installed = new Set(
    listed
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ', 1)[0]),
  );
  const missing = packages.filter((name) => !installed.has(name));
  await install(missing, missing.join(', '));
}

async function install(packages: readonly string[], what: string): Promise<void> {
  if (packages.length === 0) return;
  const command = `apt-get install --no-install-recommends ${packages.join(' ')}`;
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) {
    throw new InstallError(`${what} missing on this machine; as root, run \`${command}\` (or what your system has for it) and try again`);
  }
  say(`Debian packages: ${packages.join(', ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-qq'], { env });
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env });
}
