// Opens a page of the console several times in a real Chromium and says how soon something was painted, and all rows were there.
//
//	node page.mjs E2E LOGIN PAGE ROWS
//
// E2E is the folder with playwright-core, LOGIN a link that logs in, ROWS how many rows the table must say that it has.
import { createRequire } from 'node:module';

const [e2e, login, address, rows] = process.argv.slice(2);
const { chromium } = createRequire(e2e + '/package.json')('playwright-core');
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium', headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const first = await browser.newContext({ viewport: { width: 1280, height: 800 } });
const page = await first.newPage();
await page.goto(login);
const storageState = await first.storageState();

// What runs before the page: it notes when the first package of the table is there.
const watch = rows => {
  const look = () => {
    const table = document.querySelector('table.packages');
    if (table && Number(table.getAttribute('aria-rowcount')) > rows && table.querySelector('td.cell-name')) window.rowsAt = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
};

async function once(context) {
  const page = await context.newPage();
  await page.addInitScript(watch, Number(rows));
  await page.goto(address);
  await page.waitForFunction(() => window.rowsAt && performance.getEntriesByName('first-contentful-paint').length);
  const times = await page.evaluate(() => ({
    paint: performance.getEntriesByName('first-contentful-paint')[0].startTime, rows: window.rowsAt, drawn: document.querySelectorAll('td.cell-name').length,
  }));
  await page.close();
  return times;
}

const cold = [], warm = [];
for (let i = 0; i < 5; i++) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, storageState });
  cold.push(await once(context));
  warm.push(await once(context));
  await context.close();
}
await browser.close();
console.log(JSON.stringify({ cold, warm }));
