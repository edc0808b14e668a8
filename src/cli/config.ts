/** `playproof config`: every setting with its default, its value now, and what it is about. */
import type { Command } from 'commander';
import { ConfigError, loadConfig, readEnvironment, SETTINGS } from '../config.ts';
import { EXIT_FAILED } from './errors.ts';

interface Row {
  readonly name: string;
  readonly fallback: string | null;
  readonly value: string | null;
  readonly from: 'environment' | 'default' | 'not set';
  readonly about: string;
}

interface SettingView {
  readonly kind: string;
  readonly fallback?: string;
  readonly about: string;
}

export function addConfig(program: Command): void {
  program
    .command('config')
    .description('list every setting with its default and its value now; exit 1 where any is wrong')
    .option('--json', 'print JSON')
    .action(({ json }: { json?: true }) => {
      const environment = readEnvironment();
      const rows = rowsOf(environment);
      const faults = faultsOf(environment);
      if (json) console.log(JSON.stringify({ settings: rows, faults }, null, 2));
      else printTable(rows);
      if (faults.length === 0) return;
      if (!json) console.error(new ConfigError(faults).message);
      process.exitCode = EXIT_FAILED;
    });
}

function rowsOf(environment: Readonly<Record<string, string | undefined>>): Row[] {
  return Object.entries(SETTINGS).map(([name, entry]) => {
    const setting: SettingView = entry;
    const given = environment[name];
    const set = given !== undefined && given !== '';
    const fallback = setting.fallback ?? null;
    const value = set ? (setting.kind === 'secret' ? '********' : given) : fallback;
    return { name, fallback, value, from: set ? 'environment' : fallback === null ? 'not set' : 'default', about: setting.about };
  });
}

function faultsOf(environment: Record<string, string | undefined>): readonly string[] {
  try {
    loadConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

function printTable(rows: readonly Row[]): void {
  const lines = [
    ['setting', 'value', 'default', 'about'],
    ...rows.map((row) => [row.name, row.value === null ? '(not set)' : mark(row), row.fallback ?? '', row.about]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  for (const line of lines)
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  console.log('\n* set by the environment or .env');
}

function mark(row: Row): string {
  return row.from === 'environment' ? `${row.value}*` : `${row.value}`;
}
