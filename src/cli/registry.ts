/** `playproof registry import FILE`: straight into the data directory, whether the service runs or not. */
import path from 'node:path';
import type { Command } from 'commander';
import { loadConfig, readEnvironment } from '../config.ts';
import { readBounded } from './files.ts';

export function addRegistry(program: Command): void {
  const registry = program.command('registry').description('stores, devices, keys, campaigns and contents');
  registry
    .command('import')
    .description('register what a file lists; all of it, or nothing where any entry is at fault')
    .argument('<file>', 'one JSON object with the lists stores, devices, campaigns, contents; or NDJSON, one entry with a type a line')
    .action(async (file: string) => {
      const { REGISTRY_FILE } = await import('../registry/database.ts');
      const { guessImportFormat } = await import('../registry/import.ts');
      const { MAX_IMPORT_BYTES } = await import('../registry/registry.ts');
      const { importIntoFile } = await import('../registry/sqlite-import.ts');
      const { dataDir } = loadConfig(readEnvironment());
      const body = readBounded(file, MAX_IMPORT_BYTES);
      const counts = importIntoFile(path.join(dataDir, REGISTRY_FILE), body, guessImportFormat(body), Date.now());
      const told = Object.entries(counts).map(([type, count]) => `${count} ${type}`);
      console.log(`registered in ${dataDir}: ${told.join(', ')}`);
    });
}
