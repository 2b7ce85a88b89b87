// Opens a page in Chromium and writes what it tells its console, until standard input ends:
// node browser.mjs CHROMIUM PROFILE PAGE-URL. A fault of the page's is its end.
import { createInterface } from 'node:readline';

import { chromium } from 'playwright-core';

const [executablePath, profile, url] = process.argv.slice(2);
const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await context.newPage();
page.on('console', (line) => { if (line.type() === 'info') console.log(line.text()); });
page.on('pageerror', (error) => {
  console.error(error);
  process.exit(1);
});
await page.goto(url);
for await (const _ of createInterface({ input: process.stdin }));
await context.close();
process.exit(0);
