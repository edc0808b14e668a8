/** A service under measurement with its data directory, its load generator and its fleet; gone again when the work is done. */
import path from 'node:path';
import { Generator } from './generator.ts';
import { BenchService } from './service.ts';
import { makeTemporary, removeTemporary } from './temporary.ts';

export interface InstallationOptions {
  /** Where data directories are made. */
  readonly directory: string;
  readonly ids: 'v7' | 'v4';
  readonly prepareMegabytes: number;
  /** Where CPU profiles go; null: none are made. */
  readonly profile: string | null;
  /** A data directory that holds logs already; it is left in place. Null: an empty one is made and removed. */
  readonly stored: Stored | null;
}

export interface Stored {
  readonly dataDir: string;
  readonly logs: number;
}

export interface Installation {
  readonly dataDir: string;
  /** Logs that were there before. */
  readonly stored: number;
  readonly service: BenchService;
  readonly generator: Generator;
}

const DEVICES = 64;

export async function withInstallation<T>(options: InstallationOptions, work: (installation: Installation) => Promise<T>): Promise<T> {
  const { stored, profile } = options;
  const dataDir = stored?.dataDir ?? makeTemporary(options.directory, 'playproof-bench-');
  const generator = new Generator();
  let service: BenchService | null = null;
  try {
    const registry = await generator.fleet({ seed: 1, devices: DEVICES, ids: options.ids });
    service = await BenchService.start(dataDir, profile === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${path.resolve(profile)}`]);
    await service.register(registry);
    return await work({ dataDir, stored: stored?.logs ?? 0, service, generator });
  } finally {
    service?.kill();
    await generator.close();
    if (!stored) removeTemporary(dataDir);
  }
}
