/** `playproof registry import FILE`: straight into the registry of the profile, whether the service runs or not. */
import path from 'node:path';
import type { Command } from 'commander';
import { loadConfig, readEnvironment } from '../config.ts';
import type { ImportCounts, ImportFormat } from '../registry/registry.ts';
import { readBounded } from './files.ts';

export function addRegistry(program: Command): void {
  const registry = program.command('registry').description('stores, devices, keys, campaigns and contents');
  registry
    .command('import')
    .description('register what a file lists; all of it, or nothing where any entry is at fault')
    .argument('<file>', 'one JSON object with the lists stores, devices, campaigns, contents; or NDJSON, one entry with a type a line')
    .action(async (file: string) => {
      const { guessImportFormat } = await import('../registry/import.ts');
      const { MAX_IMPORT_BYTES } = await import('../registry/registry.ts');
      const { dataDir, engines } = loadConfig(readEnvironment());
      const body = readBounded(file, MAX_IMPORT_BYTES);
      const format = guessImportFormat(body);
      const counts = engines
        ? await (await import('../registry/mongo-import.ts')).importIntoMongo(engines.mongodbUrl, body, format, Date.now(), console.error)
        : await importIntoDirectory(dataDir, body, format);
      const told = Object.entries(counts).map(([type, count]) => `${count} ${type}`);
      console.log(`registered in ${engines ? 'MongoDB' : dataDir}: ${told.join(', ')}`);
    });
}

async function importIntoDirectory(dataDir: string, body: Uint8Array, format: ImportFormat): Promise<ImportCounts> {
  const { assertNotMoved } = await import('../copy/moved-mark.ts');
  assertNotMoved(dataDir);
  const { REGISTRY_FILE } = await import('../registry/database.ts');
  const { importIntoFile } = await import('../registry/sqlite-import.ts');
  return importIntoFile(path.join(dataDir, REGISTRY_FILE), body, format, Date.now());
}
