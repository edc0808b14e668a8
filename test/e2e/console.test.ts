/** The console as people use it: every page, each role, in a real Chromium, on the real service with a fleet's plays. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CampaignTotals } from '../../src/fleet/ledger.ts';
import { call } from '../support/http.ts';
import { axeFindings, launch, open, type Opened, picture } from './browser.ts';
import { LONG_NAME, NASTY_NAME, RTL_NAME, setStage, type Stage } from './stage.ts';

let stage: Stage;
let browser: Browser;
beforeAll(async () => {
  [stage, browser] = await Promise.all([setStage(), launch()]);
});
afterAll(async () => {
  await browser?.close();
  await stage?.close();
});

/** Runs `work` in a tab of its own and demands that nothing went wrong in it. */
async function inTab(look: Parameters<typeof open>[2], work: (tab: Opened) => Promise<void>): Promise<void> {
  const tab = await open(browser, stage.service.url, look);
  try {
    await work(tab);
    expect(tab.troubles).toEqual([]);
  } finally {
    await tab.context.close();
  }
}

async function shown(page: Page, figure: string): Promise<number> {
  const text = await page.locator(`[data-figure="${figure}"]`).innerText();
  return Number(text.replaceAll(',', '').replace(' s', ''));
}

async function expectTotals(page: Page, totals: CampaignTotals): Promise<void> {
  await page.locator('[data-testid="totals"]').waitFor();
  expect({ plays: await shown(page, 'plays'), billable: await shown(page, 'billable') }).toEqual({
    plays: totals.plays,
    billable: totals.billable,
  });
  expect(Math.round((await shown(page, 'billable_seconds')) * 1000)).toBe(totals.billableMs);
}

const chip = (page: Page, name: string) => page.locator('.chips').getByText(`Campaign: ${name}`);
const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { level: 1, name });

describe('signing in', () => {
  it('takes a token, keeps it out of every address, and forgets it when asked to', async () => {
    await inTab({}, async ({ page }) => {
      await page.goto('/');
      await heading(page, 'Playproof').waitFor();
      await picture(page, 'console-sign-in');
      expect(await axeFindings(page)).toEqual([]);
      await page.getByLabel('Access token').fill('too short');
      await page.getByRole('button', { name: 'Sign in' }).click();
      expect(await page.getByRole('alert').innerText()).toMatch(/32 to 256/);
      await page.getByLabel('Access token').fill('x'.repeat(40));
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText(/not known here/).waitFor();
      await page.getByLabel('Access token').fill(stage.tokens.operator);
      await page.keyboard.press('Enter');
      await heading(page, 'Live').waitFor();
      expect(page.url()).not.toContain(stage.tokens.operator);
      await page.reload();
      await heading(page, 'Live').waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Access token').waitFor();
      expect(await page.evaluate('sessionStorage.length')).toBe(0);
    });
  });

  it('asks again when the token is revoked while somebody looks', async () => {
    await inTab({ token: stage.tokens.operator }, async ({ page }) => {
      await page.goto('/console/devices');
      await heading(page, 'Devices').waitFor();
      await page.route('**/api/**', (route) =>
        route.fulfill({
          status: 401,
          contentType: 'application/problem+json',
          body: JSON.stringify({ type: 'x', title: 'x', status: 401, code: 'unauthorized', detail: 'gone', retryable: false }),
        }),
      );
      await page.getByText(/not taken any more/).waitFor();
      await page.getByLabel('Access token').waitFor();
    });
  });
});

describe('live', () => {
  it('moves, pauses, and says so when the service does not answer', async () => {
    await inTab({ token: stage.tokens.operator, height: 1_500 }, async ({ page }) => {
      await page.goto('/console/');
      await heading(page, 'Live').waitFor();
      await page.getByText('Analytics').first().waitFor();
      const before = await page.getByText('Accepted', { exact: true }).locator('..').locator('.tile-value').innerText();
      await stage.playFor(process.env.SCREENSHOTS === '1' ? 25_000 : 3_000);
      await expect
        .poll(() => page.getByText('Accepted', { exact: true }).locator('..').locator('.tile-value').innerText())
        .not.toBe(before);
      await picture(page, 'console-live');
      expect(await axeFindings(page)).toEqual([]);
      await page.route('**/api/v1/status**', (route) => route.abort());
      await page.getByText(/No answer since/).waitFor();
      await page.unroute('**/api/v1/status**');
      await page.getByText(/No answer since/).waitFor({ state: 'detached' });
      await page.getByRole('button', { name: 'Pause' }).click();
      await page.getByText(/Stands still since/).waitFor();
    });
  });
});

describe('proof of play', () => {
  it('shows for every campaign what the ledger of the fleet says, to the last play', async () => {
    await inTab({ token: stage.tokens.admin }, async ({ page }) => {
      for (const { campaignId, name } of stage.world.campaigns) {
        await page.goto(`/console/plays?campaign_id=${campaignId}`);
        await chip(page, name).waitFor();
        await expectTotals(
          page,
          stage.totals((play) => play.campaignId === campaignId),
        );
      }
    });
  });

  it('narrows by a click, goes back with the browser, and can be shared by its address', async () => {
    await inTab({ token: stage.tokens.operator, height: 1_300 }, async ({ page, context }) => {
      const { name, campaignId } = stage.world.campaigns[0] ?? { name: '', campaignId: '' };
      await page.goto(`/console/plays?campaign_id=${stage.dayCampaignId}`);
      await page.locator('[data-testid="totals"]').waitFor();
      await page.waitForTimeout(1_500);
      await picture(page, 'console-plays');
      expect(await axeFindings(page)).toEqual([]);
      await page.goto('/console/plays');
      await page.getByRole('region', { name: 'Plays by part' }).getByRole('link', { name }).click();
      await chip(page, name).waitFor();
      expect(page.url()).toContain(campaignId);
      const address = page.url();
      await page.goBack();
      await chip(page, name).waitFor({ state: 'detached' });
      const other = await context.newPage();
      await other.goto(address);
      await chip(other, name).waitFor();
      await expectTotals(
        other,
        stage.totals((play) => play.campaignId === campaignId),
      );
    });
  });

  it('agrees with the API hour by hour, and hands out its CSV', async () => {
    await inTab({ token: stage.tokens.operator }, async ({ page }) => {
      const { campaignId } = stage.world.campaigns[1] ?? { campaignId: '' };
      await page.goto(`/console/plays?campaign_id=${campaignId}&tz=UTC`);
      await page.getByRole('button', { name: 'As a table' }).click();
      const rows = await page.getByRole('region', { name: 'Plays by hour' }).locator('tbody tr').all();
      const { json } = await call(stage.service, `/api/v1/reports/plays?by=hour&campaign_id=${campaignId}`);
      const figures = await Promise.all(rows.map(async (row) => (await row.locator('td.number').allInnerTexts()).slice(0, 2).map(Number)));
      expect(figures).toEqual(
        (json as { rows: { plays: number; billable: number }[] }).rows.map(({ plays, billable }) => [plays, billable]),
      );
      const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).first().click()]);
      expect(file.suggestedFilename()).toMatch(/^plays-.*\.csv$/);
    });
  });

  it('is printed whole, in black on white, with nothing to click', async () => {
    await inTab({ token: stage.tokens.operator, scheme: 'dark' }, async ({ page }) => {
      await page.goto('/console/plays?by=device_id&span=24h');
      await page.getByRole('region', { name: 'Plays by part' }).locator('tbody tr').first().waitFor();
      expect((await page.pdf()).subarray(0, 5).toString()).toBe('%PDF-');
      await page.emulateMedia({ media: 'print' });
      // The heads of columns stay; they read as what they are.
      expect(await page.locator('button:visible:not(th button)').count()).toBe(0);
      expect(await page.getByRole('region', { name: 'Plays by part' }).locator('tbody tr').count()).toBe(stage.world.screens.length);
      await page.getByText(/^Printed/).waitFor();
      expect(await page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")).toBe('rgb(255, 255, 255)');
    });
  });

  it('says why it is empty, and takes a spoilt address for what can be read of it', async () => {
    await inTab({ token: stage.tokens.operator }, async ({ page }) => {
      await page.goto('/console/plays?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z');
      await page.getByText(/No play ended in this span/).waitFor();
      await page.goto('/console/plays?span=%3Cscript%3E&tz=Mars%2FBase&from=x&to=y&by=constructor&status=%00&grain=__proto__');
      await page.locator('[data-testid="totals"]').waitFor();
      await page.goto('/console/plays?campaign_id=not-an-id');
      await page
        .getByText(/must be a UUID|campaign_id/)
        .first()
        .waitFor();
      await page.goto('/console/no/such/page');
      await heading(page, 'Nothing here').waitFor();
      await page.goto('/console/plays/../../%E0%A4%A');
      expect(await page.locator('body').innerText()).not.toBe('');
    });
  });

  it('shows names with markup, of great length, and from right to left as the text they are', async () => {
    await inTab({ token: stage.tokens.admin, width: 390 }, async ({ page }) => {
      await page.goto('/console/plays');
      for (const name of [NASTY_NAME, LONG_NAME, RTL_NAME]) await page.getByRole('link', { name, exact: true }).first().waitFor();
      // Nothing is wider than the telephone.
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
      await page.goto('/console/registry/campaigns');
      await page.getByRole('link', { name: NASTY_NAME, exact: true }).waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    });
  });
});

describe('one play', () => {
  it('is verified in the browser: yes as it is, no with one byte changed, here or on the way', async () => {
    await inTab({ token: stage.tokens.operator, height: 1_400 }, async ({ page }) => {
      await page.goto(`/console/plays/${stage.sharedPlay}`);
      await page.getByRole('button', { name: 'Verify here' }).click();
      await page.locator('[data-verdict="yes"]').waitFor();
      await page.getByText('the same content and verdict').waitFor();
      await picture(page, 'console-play');
      expect(await axeFindings(page)).toEqual([]);
      await page.getByRole('button', { name: 'Change one byte and verify' }).click();
      await page.locator('[data-verdict="no"]').waitFor();
      await picture(page, 'console-play-tampered');
      expect(await axeFindings(page)).toEqual([]);

      // A service that lies: one byte of what it hands out, of the signed bytes, and the hash made to fit.
      await page.route(`**/api/v1/playback-logs/${stage.sharedPlay}`, async (route) => {
        const evidence = (await (await route.fetch()).json()) as { canonical: string; content_hash: string };
        const bytes = Buffer.from(evidence.canonical, 'base64');
        bytes[bytes.indexOf('"status"') - 3] = 0x30 + ((bytes[bytes.indexOf('"status"') - 3] ?? 0) % 10);
        const { createHash } = await import('node:crypto');
        await route.fulfill({
          json: { ...evidence, canonical: bytes.toString('base64'), content_hash: createHash('sha256').update(bytes).digest('hex') },
        });
      });
      await page.reload();
      await page.getByRole('button', { name: 'Verify here' }).click();
      await page.locator('[data-verdict="no"]').waitFor();
    });
  });

  it('can be downloaded, and the file verified where no service is asked', async () => {
    await inTab({ token: stage.tokens.operator }, async ({ page }) => {
      await page.goto(`/console/plays/${stage.sharedPlay}`);
      const [file] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Download the evidence' }).click(),
      ]);
      const saved = await file.path();
      await page.goto('/console/verify');
      await page
        .getByLabel(/Evidence file/)
        .setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{"log":1}') });
      await page.getByText(/holds no evidence/).waitFor();
      await page.getByLabel(/Evidence file/).setInputFiles(saved);
      await page.getByRole('button', { name: 'Verify here' }).click();
      await page.locator('[data-verdict="yes"]').waitFor();
    });
  });

  it('is found by its id, and says when there is none', async () => {
    await inTab({ token: stage.tokens.operator }, async ({ page }) => {
      await page.goto('/console/');
      await page.getByLabel('Find a play').fill('nonsense');
      await page.keyboard.press('Enter');
      await page.getByText(/36 characters/).waitFor();
      await page.getByLabel('Find a play').fill(stage.sharedPlay.toUpperCase());
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Verify here' }).waitFor();
      await page.goto(`/console/plays/${randomUUID()}`);
      await heading(page, 'No such play').waitFor();
    });
  });
});

describe('suppliers and advertisers', () => {
  it('see the plays that are theirs, to the last one, and nothing of others', async () => {
    for (const role of ['supplier', 'advertiser'] as const) {
      await inTab({ token: stage.tokens[role] }, async ({ page }) => {
        await page.goto('/console/');
        await heading(page, 'Proof of play').waitFor();
        const menu = await page.getByRole('navigation', { name: 'Pages' }).innerText();
        expect(menu).not.toMatch(/Live|Registry/);
        const wanted = stage.totals((play) =>
          role === 'supplier' ? play.supplierId === stage.supplierId : play.advertiserId === stage.advertiserId,
        );
        if (role === 'advertiser') await expectTotals(page, wanted);
        else await page.locator('[data-testid="totals"]').waitFor();
        const text = await page.locator('main').innerText();
        const strangers = stage.world.campaigns.filter(({ advertiserId }) => advertiserId !== stage.advertiserId).map(({ name }) => name);
        if (role === 'advertiser') expect(strangers.filter((name) => text.includes(name))).toEqual([]);
        const stores = stage.world.registry.stores.filter((store) => store.supplier_id !== stage.supplierId).map(({ name }) => name);
        if (role === 'supplier') expect(stores.filter((name) => text.includes(name))).toEqual([]);
        expect(await axeFindings(page)).toEqual([]);

        await page.goto(`/console/plays/${stage.sharedPlay}`);
        await page.getByRole('button', { name: 'Verify here' }).click();
        await page.locator('[data-verdict="yes"]').waitFor();
        await page.goto(`/console/plays/${stage.foreignPlay}`);
        await heading(page, 'No such play').waitFor();
        await page.goto('/console/registry/stores');
        await heading(page, 'Not for this role').waitFor();
        await page.goto('/console/devices');
        await page.getByRole('region', { name: 'Devices' }).waitFor();
        await page.goto('/console/quarantine');
        await heading(page, 'Quarantine desk').waitFor();
        expect(await page.getByText('Put right').count()).toBe(0);
      });
    }
  });

  it('hear the names of what is theirs only', async () => {
    const names = async (token: string, kind: string): Promise<string[]> => {
      const { json } = await call(stage.service, `/api/v1/names?kind=${kind}`, { token });
      return (json as { items: { name: string }[] }).items.map(({ name }) => name);
    };
    const own = stage.world.campaigns.filter(({ advertiserId }) => advertiserId === stage.advertiserId).map(({ name }) => name);
    expect((await names(stage.tokens.advertiser, 'campaign')).sort()).toEqual(own.sort());
    const stores = stage.world.registry.stores.filter((store) => store.supplier_id === stage.supplierId).map(({ name }) => name);
    expect((await names(stage.tokens.supplier, 'store')).sort()).toEqual(stores.sort());
    expect((await names(stage.tokens.operator, 'store')).length).toBe(stage.world.registry.stores.length);
  });
});

describe('an operator', () => {
  it('is offered nothing that it may not do', async () => {
    await inTab({ token: stage.tokens.operator }, async ({ page }) => {
      for (const address of [
        `/registry/stores`,
        `/registry/devices/${stage.world.disabled.deviceId}`,
        `/devices/${stage.world.disabled.deviceId}`,
      ]) {
        await page.goto(`/console${address}`);
        await page.locator('.card').first().waitFor();
        await page.waitForTimeout(500);
        expect(await page.getByRole('button', { name: /Add|Save|Retire|Revoke|Import|Register/ }).count()).toBe(0);
        expect(await page.getByRole('link', { name: /Add|Import/ }).count()).toBe(0);
      }
      await page.goto('/console/registry/import');
      await heading(page, 'Not for this role').waitFor();
    });
  });
});

describe('devices and quarantine', () => {
  it('tell who was heard, and group what was refused by its reason', async () => {
    await inTab({ token: stage.tokens.admin, height: 1_100 }, async ({ page }) => {
      await page.goto('/console/devices');
      const rows = page.getByRole('region', { name: 'Devices' }).locator('tbody tr');
      await rows.first().waitFor();
      expect(await rows.count()).toBe(stage.world.screens.length + 1);
      await page.waitForTimeout(500);
      await picture(page, 'console-devices');
      expect(await axeFindings(page)).toEqual([]);
      await page.getByRole('link', { name: /Switched off/ }).click();
      await expect.poll(() => rows.count()).toBe(1);
      const { deviceId } = stage.world.screens[0] ?? { deviceId: '' };
      await page.goto(`/console/devices/${deviceId}`);
      await page.getByRole('heading', { name: 'Keys', exact: true }).waitFor();
      await page.waitForTimeout(1_000);
      await picture(page, 'console-device');
      expect(await axeFindings(page)).toEqual([]);

      await page.goto('/console/quarantine');
      const { json } = await call(stage.service, '/api/v1/quarantine/groups');
      const { groups } = json as { groups: { code: string; refusals: number }[] };
      const forged = groups.filter(({ code }) => code === 'invalid_signature').reduce((sum, { refusals }) => sum + refusals, 0);
      expect(forged).toBe(stage.ledger.counts().refusedByCode.invalid_signature);
      await page.getByRole('heading', { name: new RegExp(`^Signature does not fit ${forged}$`) }).waitFor();
      await picture(page, 'console-quarantine');
      expect(await axeFindings(page)).toEqual([]);
      await page.goto('/console/quarantine?code=invalid_signature');
      await page.locator('.refused summary').first().click();
      await page.locator('.refused pre').first().waitFor();
      expect(await axeFindings(page)).toEqual([]);
    });
  });

  it('rotate a key: the next one is added, the old one revoked, each after a question', async () => {
    await inTab({ token: stage.tokens.admin }, async ({ page }) => {
      const { deviceId, keyId } = stage.world.disabled;
      await page.goto(`/console/devices/${deviceId}`);
      await page.getByRole('button', { name: /Add the next key/ }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Public key (PEM)').fill('not a key');
      await dialog.getByRole('button', { name: 'Add the key' }).click();
      await dialog.getByText(/^It is not taken/).waitFor();
      expect(await axeFindings(page)).toEqual([]);
      const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      await dialog.getByLabel('Public key (PEM)').fill(publicKey.export({ type: 'spki', format: 'pem' }));
      await dialog.getByLabel('Name of the key').fill('next');
      await dialog.getByRole('button', { name: 'Add the key' }).click();
      await dialog.waitFor({ state: 'detached' });
      await page.getByRole('button', { name: `Revoke the key ${keyId}` }).click();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      await page.getByRole('button', { name: `Revoke the key ${keyId}` }).click();
      await page.getByLabel(/It is compromised/).check();
      await page.getByRole('button', { name: 'Revoke the key', exact: true }).click();
      await page.getByRole('region', { name: 'Keys of the device' }).getByText('compromised').waitFor();
      const { json } = await call(stage.service, `/api/v1/devices/${deviceId}`);
      const keys = (json as { keys: { key_id: string; compromised_at?: string }[] }).keys;
      expect(keys.map(({ key_id: id, compromised_at: at }) => [id, at !== undefined])).toEqual([
        [keyId, true],
        ['next', false],
      ]);
    });
  });
});

describe('the registry', () => {
  it('finds by name whatever the accents, and shows where stores are', async () => {
    await inTab({ token: stage.tokens.admin }, async ({ page }) => {
      const store = stage.world.registry.stores[0]?.name ?? '';
      await page.goto('/console/registry/stores');
      await page.getByRole('region', { name: 'Stores' }).waitFor();
      await picture(page, 'console-registry');
      expect(await axeFindings(page)).toEqual([]);
      const plain = store.normalize('NFD').replaceAll(/\p{M}/gu, '').replaceAll('đ', 'd').replaceAll('Đ', 'D').toUpperCase();
      await page.getByLabel(/Search/).fill(plain);
      await page.getByText('1 store', { exact: true }).waitFor();
      await page.locator('svg.map').getByRole('link', { name: store }).click();
      await heading(page, store).waitFor();
    });
  });

  it('adds and changes, with every fault at its field', async () => {
    await inTab({ token: stage.tokens.admin }, async ({ page }) => {
      await page.goto('/console/registry/stores/new');
      await page.getByRole('button', { name: 'Register' }).click();
      await page.getByText('It is missing.').first().waitFor();
      expect(await page.getByText('It is missing.').count()).toBeGreaterThanOrEqual(2);
      await page.getByLabel('Name', { exact: false }).first().fill('Chợ Bến Thành');
      await page.getByLabel('Supplier').fill('nobody');
      await page.getByLabel('Latitude').fill('123');
      await page.getByLabel('Longitude').fill('east');
      await page.getByRole('button', { name: 'Register' }).click();
      await page.locator('.field.wrong').filter({ hasText: 'Longitude' }).waitFor();
      const wrong = await page.locator('.field.wrong label').allInnerTexts();
      expect(wrong).toEqual(['Supplier', 'Latitude', 'Longitude']);
      expect(await axeFindings(page)).toEqual([]);
      await page.getByLabel('Supplier').fill(stage.supplierId);
      await page.getByLabel('Latitude').fill('10.7725');
      await page.getByLabel('Longitude').fill('106.698');
      await page.getByRole('button', { name: 'Register' }).click();
      await heading(page, 'Chợ Bến Thành').waitFor();
      await page.getByLabel('Region (optional)').fill('Hồ Chí Minh');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText(/^Saved/).waitFor();
      await page.getByRole('button', { name: /Retire/ }).click();
      const confirm = page.getByRole('dialog');
      expect(await confirm.getByRole('button', { name: 'Retire', exact: true }).isDisabled()).toBe(true);
      await confirm.getByRole('textbox').fill(await confirm.locator('strong.mono').innerText());
      await confirm.getByRole('button', { name: 'Retire', exact: true }).click();
      await page.waitForURL('**/console/registry/stores');
    });
  });

  it('shows before an import what it would change, and names each fault of the document', async () => {
    await inTab({ token: stage.tokens.admin }, async ({ page }) => {
      const known = stage.world.campaigns[0] ?? { campaignId: '', advertiserId: '', name: '' };
      const fresh = randomUUID();
      const document = {
        campaigns: [
          { campaign_id: known.campaignId, advertiser_id: known.advertiserId, name: known.name },
          { campaign_id: fresh, advertiser_id: known.advertiserId, name: 'Brand new' },
        ],
        devices: [{ device_id: randomUUID(), store_id: randomUUID() }],
      };
      await page.goto('/console/registry/import');
      await page.getByLabel('or paste it').fill(JSON.stringify(document));
      await page.getByRole('button', { name: 'Show what will change' }).click();
      await page.getByText(/is not registered/).waitFor();
      await page.getByLabel('or paste it').fill(JSON.stringify({ campaigns: document.campaigns }));
      await page.getByRole('button', { name: 'Show what will change' }).click();
      await page.getByText('1 new, 0 changed, 1 as they are').waitFor();
      expect((await call(stage.service, `/api/v1/campaigns/${fresh}`)).status).toBe(404);
      await picture(page, 'console-import');
      expect(await axeFindings(page)).toEqual([]);
      await page.getByRole('button', { name: 'Import 1 change' }).click();
      await page.getByText('Imported.').waitFor();
      expect((await call(stage.service, `/api/v1/campaigns/${fresh}`)).status).toBe(200);
    });
  });
});

describe('everywhere', () => {
  it('works in the dark and on a telephone, with no serious finding of axe', async () => {
    const addresses = [
      '/',
      '/plays',
      `/plays/${stage.sharedPlay}`,
      '/devices',
      '/quarantine',
      '/registry/stores',
      '/registry/campaigns',
      '/registry/import',
    ];
    for (const look of [{ scheme: 'dark' as const }, { width: 390, height: 844 }]) {
      await inTab({ ...look, token: stage.tokens.admin }, async ({ page }) => {
        for (const address of addresses) {
          await page.goto(`/console${address}`);
          await page.locator('h1').waitFor();
          await page.locator('.card, .empty').first().waitFor();
          await page.waitForTimeout(700);
          expect([address, await axeFindings(page)]).toEqual([address, []]);
          if (look.width) expect([address, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([address, look.width]);
          if (address === '/') await picture(page, look.width ? 'console-telephone' : 'console-live-dark');
        }
      });
    }
  });

  it('can be used by keyboard alone', async () => {
    await inTab({ token: stage.tokens.operator }, async ({ page }) => {
      await page.goto('/console/');
      await heading(page, 'Live').waitFor();
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement.textContent')).toMatch(/To the content/);
      await page.keyboard.press('Tab');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Proof of play');
      await page.keyboard.press('Enter');
      await heading(page, 'Proof of play').waitFor();
      await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('main');
    });
  });

  it('shows a wrong clock of this computer, and counts by the clock of the service', async () => {
    await inTab({ token: stage.tokens.operator }, async ({ page }) => {
      await page.clock.setFixedTime(Date.now() - 3 * 3_600_000);
      await page.goto('/console/plays?span=1h');
      await page.getByText(/This computer’s clock is wrong/).waitFor();
      await page.locator('[data-testid="totals"]').waitFor();
      expect(await shown(page, 'plays')).toBeGreaterThan(0);
    });
  });

  it('begins with less than 150 kB of script', async () => {
    await inTab({ token: stage.tokens.operator }, async ({ page }) => {
      let bytes = 0;
      page.on('response', (response) => {
        if (response.url().endsWith('.js')) bytes += Number(response.headers()['content-length']);
      });
      await page.goto('/console/');
      await page.locator('.chart').first().waitFor();
      expect(bytes).toBeGreaterThan(50_000);
      expect(bytes).toBeLessThan(150_000);
    });
  });
});
