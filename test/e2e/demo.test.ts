/** `npm run demo` as a visitor meets it: the printed address shows live plays, with nothing to do in between. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitUntil } from '../support/wait-until.ts';
import { launch, open } from './browser.ts';
import { buildConsole } from './stage.ts';

const ENTRY = fileURLToPath(new URL('../../bin/playproof.mjs', import.meta.url));

let browser: Browser;
let demo: ChildProcess;
let output = '';
beforeAll(async () => {
  buildConsole();
  browser = await launch();
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PLAYPROOF_')));
  demo = spawn(process.execPath, [ENTRY, 'demo', '--for', '8', '--screens', '6'], { stdio: ['ignore', 'pipe', 'inherit'], env });
  demo.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
});
afterAll(async () => {
  await browser?.close();
  if (demo?.exitCode === null) demo.kill('SIGKILL');
});

it('prints an address that shows live plays, as every role, and stays while somebody looks', async () => {
  const address = () => /http:\/\/127\.0\.0\.1:\d+(?=\/console\/)/.exec(output)?.[0];
  await waitUntil(() => address() !== undefined);
  const { page, context, troubles } = await open(browser, address() ?? '');
  await page.goto('/');
  await page.getByRole('heading', { level: 1, name: 'Live' }).waitFor();
  await page.getByRole('region', { name: 'Plays, newest first' }).locator('tbody tr').first().waitFor();
  expect(await page.evaluate('location.href')).not.toContain('demo-');
  await page.getByLabel('Look as').selectOption({ label: 'Supplier: Chợ Mới Mart' });
  await page.getByRole('heading', { level: 1, name: 'Proof of play' }).waitFor();
  await page.locator('[data-testid="totals"]').waitFor();
  expect(troubles).toEqual([]);
  // Longer than the fleet plays: the comparison is printed, and the service is still there.
  await waitUntil(() => output.includes('so it stays'));
  expect(output).toMatch(/all campaigns .* equal$/m);
  await page.reload();
  await page.locator('[data-testid="totals"]').waitFor();
  await context.close();
  const ended = once(demo, 'exit');
  demo.kill('SIGINT');
  expect((await ended)[0]).toBe(0);
});
