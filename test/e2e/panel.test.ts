import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PanelAssets, panelAssets } from '../../cloud/src/panel/assets.ts';
import { browserMissing, launchBrowser } from '../support/browser.ts';
import { type PanelCloud, startPanelCloud } from '../support/panel-cloud.ts';
import { cellarUuid, greenhouseUuid, password } from '../support/panel-world.ts';

/** Real Chromium, the real panel, the HTTP contract over a world in memory. */
describe.skipIf(browserMissing)('the panel in a browser (skipped without /usr/bin/chromium)', () => {
  let browser: Browser;
  let assets: PanelAssets;
  let cloud: PanelCloud;
  let context: BrowserContext;
  let page: Page;
  /** Script errors and violations of the content security policy: there must never be one. */
  let complaints: string[];

  beforeAll(async () => {
    [browser, assets] = await Promise.all([launchBrowser(), panelAssets()]);
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    cloud = await startPanelCloud(assets);
    context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    page = await context.newPage();
    page.setDefaultTimeout(10_000);
    complaints = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('dialog', (dialog) => complaints.push(`dialog: ${dialog.message()}`));
    await page.exposeFunction('violated', (what: string) => complaints.push(what));
    await page.addInitScript(
      "addEventListener('securitypolicyviolation', (e) => violated(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample))",
    );
  });
  afterEach(async () => {
    await context.close();
    await cloud.close();
    expect(complaints).toEqual([]);
  });

  const signIn = async (email = 'owner@example.org') => {
    await page.goto(cloud.url);
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('Live', { exact: true }).waitFor();
  };
  const openGreenhouse = async () => {
    await signIn();
    await page.getByRole('link', { name: /Greenhouse north/ }).click();
    await page.getByRole('article', { name: 'Pump' }).waitFor();
  };
  const card = (name: string) => page.getByRole('article', { name });
  const row = (name: RegExp) => page.getByRole('listitem').filter({ hasText: name });

  it('says why signing in failed, and lets nothing through', async () => {
    await page.goto(cloud.url);
    await page.getByLabel('E-mail').fill('owner@example.org');
    await page.getByLabel('Password').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('No account has this e-mail and password.').waitFor();
    expect(cloud.requests).toEqual(['POST /auth/login']);
  });

  it('lists the devices even when there is no live stream to be had', async () => {
    cloud.cutStreams({ refuse: true });
    await page.goto(cloud.url);
    await page.getByLabel('E-mail').fill('owner@example.org');
    await page.getByLabel('Password').fill(password);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: /Greenhouse north/ }).waitFor();
    await page.getByText('There is no live connection.').waitFor();
  });

  it('shows devices live on one stream, with the token in the header only', async () => {
    await signIn();
    await row(/Greenhouse north/)
      .getByText('Air 23.4 °C')
      .waitFor();
    await row(/90aa12bc/)
      .getByText('Timed out')
      .waitFor();
    cloud.world.report(greenhouseUuid, 1, {
      status: 'OK',
      metrics: { temperature: cloud.world.reading(31.25, 'Cel') },
    });
    cloud.push(greenhouseUuid);
    await row(/Greenhouse north/)
      .getByText('Air 31.3 °C')
      .waitFor();
    await page.getByRole('link', { name: /Greenhouse north/ }).click();
    await card('Air').getByText('31.3 °C').waitFor();
    expect(cloud.streams).toEqual([expect.stringMatching(/^Bearer ./)]);
    const token = cloud.streams[0]?.slice('Bearer '.length) ?? '';
    expect(cloud.requests.filter((request) => request.includes(token))).toEqual([]);
  });

  it('keeps the session over a reload, in this tab only, until signing out', async () => {
    await signIn();
    await page.reload();
    await page.getByText('Live', { exact: true }).waitFor();
    expect(await page.evaluate('localStorage.length + document.cookie.length')).toBe(0);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Password').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    expect(cloud.requests.at(-1)).toBe('POST /auth/logout');
  });

  it('goes on without a word when the access token has ended', async () => {
    await signIn();
    cloud.world.endAccessTokens();
    await page.reload();
    await page.getByText('Live', { exact: true }).waitFor();
    expect(cloud.requests.filter((request) => request === 'POST /auth/refresh')).toHaveLength(1);
    await page.getByText('Greenhouse north').waitFor();
  });

  it('asks to sign in again when the session has ended', async () => {
    await signIn();
    cloud.world.endSessions();
    cloud.cutStreams();
    await page.getByText('Your session has ended. Sign in again.').waitFor();
    expect(await page.getByText('Greenhouse north').count()).toBe(0);
  });

  it('says that it is not live while the stream is cut, and catches up afterwards', async () => {
    await signIn();
    cloud.cutStreams({ refuse: true });
    await page.getByText(/Not live since .* values may have changed/).waitFor();
    cloud.world.devices.get(greenhouseUuid)!.device.presence = 'OFFLINE';
    cloud.cutStreams();
    await page.getByRole('button', { name: 'Try now' }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    await row(/Greenhouse north/)
      .getByText('Offline')
      .waitFor();
  });

  it('shows each component with its status and reason, and an hour of readings that goes on', async () => {
    await openGreenhouse();
    await card('Soil moisture').getByText('STALE').waitFor();
    await card('LED').getByText('The line cannot be opened: GPIO 27 is busy.').waitFor();
    const chart = page.getByRole('img', { name: /^Air, last hour\. Temperature/ });
    await chart.locator('canvas').waitFor();
    expect(await page.locator('canvas').count()).toBe(5);
    cloud.world.report(greenhouseUuid, 1, {
      status: 'OK',
      metrics: { temperature: cloud.world.reading(77, 'Cel') },
    });
    cloud.push(greenhouseUuid);
    await page.getByRole('img', { name: /Temperature: 77 °C now, from .* to 77 °C/ }).waitFor();
  });

  it('runs the pump for as long as asked, and says that it ends by itself', async () => {
    await openGreenhouse();
    await card('Pump').getByLabel('Seconds').fill('20');
    await card('Pump').getByRole('button', { name: 'On' }).click();
    await card('Pump')
      .getByText(/^On for 20 s: Done, read back from the line; goes off by itself in/)
      .waitFor();
    const [command] = cloud.world.devices.get(greenhouseUuid)!.commands;
    expect(command).toMatchObject({ componentId: 4, action: 'on', args: { durationMs: 20_000 } });
    await page.getByRole('listitem').filter({ hasText: 'Pump on for 20 s' }).getByText('Completed').waitFor();
  });

  it('calls a command pending until the device answered, and lets "off" through meanwhile', async () => {
    cloud.world.behaviour.outcome = 'PENDING';
    await openGreenhouse();
    await card('Pump').getByRole('button', { name: 'On' }).click();
    await card('Pump').getByText('On for 10 s: Sent; the device has not answered yet.').waitFor();
    expect(await card('Pump').getByRole('button', { name: 'On' }).isDisabled()).toBe(true);
    expect(await card('Pump').getByRole('button', { name: 'Off' }).isEnabled()).toBe(true);
    cloud.world.settle(greenhouseUuid, { status: 'EXPIRED' });
    await card('Pump')
      .getByText(/On for 10 s: Expired: the device did not get it in time/)
      .waitFor();
    expect(await card('Pump').getByRole('button', { name: 'On' }).isEnabled()).toBe(true);
  });

  it('says why the device refused, and does not send what cannot be', async () => {
    Object.assign(cloud.world.behaviour, {
      outcome: 'REJECTED',
      code: 'BUSY',
      detail: 'The pump cools down.',
    });
    await openGreenhouse();
    await card('Pump').getByRole('button', { name: 'On' }).click();
    await card('Pump').getByText('Refused by the device. The pump cools down. (BUSY)').waitFor();
    await card('Pump').getByLabel('Seconds').fill('601');
    await card('Pump').getByText('From 1 s to 10 min.').waitFor();
    expect(await card('Pump').getByRole('button', { name: 'On' }).isDisabled()).toBe(true);
  });

  it('attaches a component, shows what is wrong with a pin, and detaches', async () => {
    await openGreenhouse();
    await page.getByRole('combobox', { name: 'Type' }).selectOption('led');
    for (const [pin, problem] of [
      ['17', /GPIO 17 .*is taken by pump \(component 4\)/],
      ['1', /GPIO 1 .*is reserved/],
    ] as const) {
      await page.getByLabel('GPIO of line').fill(pin);
      await page.getByRole('button', { name: 'Attach', exact: true }).click();
      await page.getByRole('alert').getByText(problem).waitFor();
    }
    await page.getByLabel('GPIO of line').fill('22');
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Lamp');
    await page.getByRole('button', { name: 'Attach', exact: true }).click();
    await card('Lamp').getByText('No reading has arrived yet.').waitFor();
    await page.getByRole('button', { name: 'Detach Lamp' }).click();
    await page.getByRole('button', { name: 'Confirm to detach Lamp' }).click();
    await card('Lamp').waitFor({ state: 'detached' });
  });

  it('renames a device', async () => {
    await openGreenhouse();
    await page.getByRole('textbox', { name: 'Nickname' }).fill('Shed');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { level: 1, name: 'Shed' }).waitFor();
  });

  it('gives a device away only after its name or id was typed', async () => {
    await openGreenhouse();
    await page.getByRole('button', { name: 'Unlink this device' }).click();
    const confirm = page.getByRole('dialog').getByRole('button', { name: 'Unlink' });
    expect(await confirm.isDisabled()).toBe(true);
    await page.getByRole('dialog').getByRole('textbox').fill('Greenhouse');
    await page.keyboard.press('Enter');
    expect(cloud.world.devices.has(greenhouseUuid)).toBe(true);
    await page.getByRole('dialog').getByRole('textbox').fill(greenhouseUuid.slice(0, 8));
    await confirm.click();
    await page.getByRole('heading', { name: 'Your devices' }).waitFor();
    await row(/Greenhouse north/).waitFor({ state: 'detached' });
    expect([...cloud.world.devices.keys()]).toEqual([cellarUuid]);
  });

  it('registers a device for an administrator by the line of factory-init', async () => {
    await signIn('admin@example.org');
    await page.getByRole('heading', { name: 'All devices' }).waitFor();
    const register = async (line: string) => {
      await page.getByLabel('Registration line').fill(line);
      await page.getByRole('button', { name: 'Register' }).click();
    };
    await register('nonsense');
    await page
      .getByRole('alert')
      .getByText(/not a registration line/)
      .waitFor();
    const uuid = 'aaaaaaaa-0000-4000-8000-000000000001';
    const line = `ares1:10000000feedbeef:${uuid}:${'ab'.repeat(32)}:pi-5:greenhouse`;
    await register(line);
    await page.getByText(`Registered ${uuid}`).waitFor();
    await row(/aaaaaaaa/)
      .getByText('Registered')
      .waitFor();
    await register(line);
    await page
      .getByRole('alert')
      .getByText(/is registered already/)
      .waitFor();
    await page.getByRole('link', { name: /aaaaaaaa/ }).click();
    await page.getByText('Nobody owns this device.').waitFor();
    expect(cloud.requests.filter((request) => request.includes(`${uuid}/`))).toEqual([]);
  });

  it('shows a viewer no button that would be refused', async () => {
    cloud.world.devices.get(greenhouseUuid)!.device.role = 'viewer';
    await openGreenhouse();
    for (const name of [/^On$/, /^Off$/, /Detach/, /Attach/, /Unlink/, /Save/]) {
      expect(await page.getByRole('button', { name }).count(), String(name)).toBe(0);
    }
  });

  it('works by keyboard alone', async () => {
    await page.goto(cloud.url);
    await page.getByLabel('E-mail').waitFor();
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    await press('Tab');
    await page.keyboard.type('owner@example.org');
    await press('Tab');
    await page.keyboard.type(password);
    await press('Enter');
    await page.getByRole('link', { name: /Greenhouse north/ }).waitFor();
    const tabTo = async (name: string) => {
      for (let i = 0; i < 40; i++) {
        await press('Tab');
        const focused = await page.evaluate<string>("document.querySelector(':focus')?.textContent ?? ''");
        if (focused === name || (name.length > 2 && focused.startsWith(name))) return;
      }
      throw new Error(`the focus never reached ${name}`);
    };
    await tabTo('Greenhouse northOnline');
    await press('Enter');
    await card('Pump').waitFor();
    await tabTo('On');
    await press('Enter');
    await card('Pump')
      .getByText(/^On for 10 s: Done/)
      .waitFor();
  });

  it('fits a phone: nothing is cut off or scrolls sideways', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await openGreenhouse();
    await page.locator('canvas').first().waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    await page.getByRole('link', { name: 'Devices' }).click();
    await page.getByRole('heading', { name: 'Your devices' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  });

  it('says honestly that there is nothing', async () => {
    cloud.world.devices.clear();
    await signIn();
    await page.getByText('You own no device yet.').waitFor();
    await page.goto(`${cloud.url}/#/devices/${greenhouseUuid}`);
    await page.getByText('You have no device with this id.').waitFor();
  });

  it('ADM-01 shows markup in names, reasons and details as the text that it is', async () => {
    const markup = '<img src=x onerror=alert(1)><script>alert(2)</script>"\'><svg onload=alert(3)>';
    const greenhouse = cloud.world.devices.get(greenhouseUuid)!;
    greenhouse.device.nickname = markup;
    greenhouse.components[0]!.name = `Air ${markup}`;
    cloud.world.report(greenhouseUuid, 5, { status: 'ERROR', reason: `Reason ${markup}`, metrics: {} });
    cloud.world.report(greenhouseUuid, 2, {
      status: 'OK',
      metrics: { moisture: cloud.world.reading(1, '<b>x</b>') },
    });
    Object.assign(cloud.world.behaviour, { outcome: 'FAILED', detail: `Detail ${markup}` });
    await signIn();
    await page.getByRole('link').filter({ hasText: markup }).click();
    await page.getByRole('heading', { level: 1 }).getByText(markup, { exact: true }).waitFor();
    await page.getByText(`Reason ${markup}`, { exact: true }).waitFor();
    await page.getByText('<b>x</b>').first().waitFor();
    await card('Pump').getByRole('button', { name: 'On' }).click();
    await card('Pump').getByText(`Detail ${markup}`).waitFor();
    await page.getByRole('button', { name: 'Unlink this device' }).click();
    expect(await page.locator('#app img, #app script, #app svg, #app b:not(.key b)').count()).toBe(0);
  });

  it('ADM-01 runs in no frame, and no inline script in its page', async () => {
    await page.goto(cloud.url);
    await page.getByLabel('E-mail').waitFor();
    await page.evaluate(
      "{ const f = document.createElement('iframe'); f.src = '/'; document.body.append(f); }",
    );
    // Even its own origin may not frame it.
    await expect.poll(() => page.frames()[1]?.url()).toBe('chrome-error://chromewebdata/');
    await page.evaluate(
      "{ const s = document.createElement('script'); s.textContent = 'globalThis.injected = true'; document.body.append(s); }",
    );
    expect(await page.evaluate('globalThis.injected')).toBeUndefined();
    await expect.poll(() => complaints).toEqual([expect.stringMatching(/^script-src/)]);
    complaints = [];
  });
});
