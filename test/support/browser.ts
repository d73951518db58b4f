import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Debian's Chromium; playwright-core brings none. */
const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** Whether tests in a browser can run here. In CI they must. */
export const browserMissing = !existsSync(executablePath) && process.env['CI'] === undefined;

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
