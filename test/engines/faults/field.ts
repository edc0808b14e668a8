/** What the fault tests of the distributed engines share: an installation, its processes by name, clients with their ledger. */
import { expect } from 'vitest';
import { call } from '../../support/http.ts';
import { Load } from '../../support/load.ts';
import { importWorld, makeWorld, type World } from '../../support/registry.ts';
import type { Service } from '../../support/service.ts';
import type { Installation, SpawnOptions } from '../support/installation.ts';
import { differencesNow, differencesSoon } from '../support/oracle.ts';

const DEVICES = 12;

export class Field {
  readonly installation: Installation;
  readonly world: World;
  /** One for all tests of a file: the copies hold the plays of all of them. */
  readonly load: Load;
  readonly #query: Service;

  private constructor(installation: Installation, world: World, load: Load, query: Service) {
    this.installation = installation;
    this.world = world;
    this.load = load;
    this.#query = query;
  }

  /** Starts the engines, and a first process that accepts and answers questions, past all proxies but Kafka's. */
  static async open(installation: Installation, seed: number): Promise<Field> {
    // So many that each half of the partitions has some, and with it each of two settlers.
    const world = makeWorld(DEVICES, { seed });
    // The registry's server is the archive's, and slow on a busy machine: what is tried here is the archive.
    const env = { ...installation.mongoDirect, PLAYPROOF_REGISTRY_MAX_AGE_SECONDS: '3600' };
    const query = await installation.run('accept-1', 'accept,query', { env });
    await importWorld(query, world);
    return new Field(installation, world, new Load(world, seed), query);
  }

  /** The process `accept-1`, which no test kills. */
  get first(): Service {
    return this.#query;
  }

  run(name: string, roles: string, options?: SpawnOptions): Promise<Service> {
    return this.installation.run(name, roles, options);
  }

  get acknowledged(): number {
    return this.load.ledger.summary()['acknowledged'] ?? 0;
  }

  /** The clients get an answer for everything, and the copies come to agree. */
  async agrees(through: Service = this.#query): Promise<void> {
    await this.load.stop();
    await this.load.drain(through.url);
    expect(await differencesSoon(this.installation, this.#query, this.load.ledger)).toEqual([]);
  }

  /** The same by the word of Java's consumer. The last test of a file. */
  async agreesAtTheEnd(): Promise<void> {
    await this.agrees();
    expect(await differencesNow(this.installation, this.#query, this.load.ledger)).toEqual([]);
  }

  async close(): Promise<void> {
    await this.load.stop();
    await this.installation.dispose();
  }
}

/** A figure of `/metrics`; null where the process does not show it. */
export async function metric(service: Service, name: string): Promise<number | null> {
  const { text } = await call(service, '/metrics');
  const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
  return value === undefined ? null : Number(value);
}
