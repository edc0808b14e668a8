/** Changes of the registry in the middle of faults: repeated until they are answered, since repeating changes nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { call } from '../support/http.ts';
import type { Service } from '../support/service.ts';

const WITHIN_MS = 60_000;
const AGAIN_MS = 200;
const TIMEOUT_MS = 10_000;

export class Admin {
  readonly #service: () => Service;

  constructor(service: () => Service) {
    this.#service = service;
  }

  post(address: string, body: object): Promise<void> {
    return this.#change('POST', address, body);
  }

  put(address: string, body: object): Promise<void> {
    return this.#change('PUT', address, body);
  }

  /** @throws Error for a refusal, or when nothing answers in time. */
  async #change(method: string, address: string, body: object): Promise<void> {
    const until = performance.now() + WITHIN_MS;
    let last = '';
    while (performance.now() < until) {
      try {
        const { status, text } = await call(this.#service(), address, { method, body, timeoutMs: TIMEOUT_MS });
        if (status < 300) return;
        last = `${status} ${text}`;
        if (status < 500) break;
      } catch (error) {
        last = (error as Error).message;
      }
      await sleep(AGAIN_MS);
    }
    throw new Error(`${method} ${address} was answered ${last}`);
  }
}
