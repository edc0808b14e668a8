/** Debian's Chromium, driven by playwright-core: pages that note everything that went wrong in them. */
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import axe from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const PLACES = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const IMAGES = path.resolve(import.meta.dirname, '../../docs/images');

export const VIEWER_ZONE = 'Asia/Ho_Chi_Minh';

/** @throws Error that says what to install. */
export function launch(): Promise<Browser> {
  const found = [process.env.CHROMIUM, ...PLACES].find((place) => place !== undefined && existsSync(place));
  if (found === undefined) throw new Error('no Chromium found: run `apt-get install chromium-headless-shell`, or set CHROMIUM to its path');
  return chromium.launch({ executablePath: found, args: FLAGS });
}

export interface Look {
  readonly scheme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
  readonly token?: string;
}

export interface Opened {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Uncaught errors, refusals of the Content-Security-Policy, and requests to anywhere but the service. */
  readonly troubles: string[];
}

/** A tab of its own, signed in where a token is given. */
export async function open(
  browser: Browser,
  base: string,
  { scheme = 'light', width = 1280, height = 860, token }: Look = {},
): Promise<Opened> {
  const context = await browser.newContext({
    baseURL: base,
    viewport: { width, height },
    colorScheme: scheme,
    locale: 'en-GB',
    timezoneId: VIEWER_ZONE,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  if (token !== undefined) await context.addInitScript(`sessionStorage.setItem('playproof-token', ${JSON.stringify(token)})`);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && /Content Security Policy|Trusted|Refused to/i.test(message.text())) troubles.push(message.text());
  });
  page.on('dialog', (dialog) => {
    troubles.push(`a script opened a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !url.startsWith('data:') && !url.startsWith('blob:')) troubles.push(`asked elsewhere: ${url}`);
    if (token !== undefined && url.includes(token)) troubles.push(`the token stands in an address: ${url}`);
  });
  return { page, context, troubles };
}

const STANDARDS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly at: readonly string[];
}

/** Findings of axe that are serious or critical, a line each. */
export async function axeFindings(page: Page): Promise<string[]> {
  // Through the debugger, which no policy of the page hinders.
  await page.evaluate(axe.source);
  // As text: what runs in the page is of another world than these tests.
  const found = await page.evaluate<Finding[]>(`axe.run(document, { runOnly: ${JSON.stringify(STANDARDS)} }).then(({ violations }) =>
    violations.map(({ id, impact, nodes }) => ({ id, impact, at: nodes.map(({ html, failureSummary }) => html + ' ' + failureSummary) })))`);
  return found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, at }) => `${id}: ${at.slice(0, 3).join(' | ')}`);
}

/** Into docs/images, for README and docs/console.md; only where asked for, so that a test run changes no file. */
export async function picture(page: Page, name: string, full = false): Promise<void> {
  if (process.env.SCREENSHOTS !== '1') return;
  mkdirSync(IMAGES, { recursive: true });
  await page.screenshot({ path: path.join(IMAGES, `${name}.png`), fullPage: full, animations: 'disabled' });
}
