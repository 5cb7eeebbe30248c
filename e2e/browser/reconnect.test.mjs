// Scene: the gateway is killed while a cell prints. Nobody touches the page, and not a line is missing.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { away, launch, open, shot, steps } from '../lib/browser.mjs';
import { Gateway } from '../lib/gateway.mjs';
import { Lab } from '../lib/lab.mjs';
import { until } from '../lib/until.mjs';

let gateway, browser, page, lab;

before(async () => {
  [gateway, browser] = await Promise.all([Gateway.start(), launch()]);
  page = await open(browser);
  await page.goto(gateway.login);
  lab = await Lab.open(page, gateway.jupyter);
});

after(async () => {
  await browser?.close();
  await gateway?.close();
});

test('kill -9 of the gateway while a cell prints', async t => {
  const step = steps(t, () => page);
  const printed = async cell => (await lab.text(cell)).match(/line \d+/g) ?? [];
  const file = name => join(gateway.data, name);
  const count = async () => Number(await readFile(file('printed'), 'utf8').catch(() => 0)); // by the kernel's own account
  let pid, cell;

  await step('a cell prints a line every 100 ms, until it is told to end', async () => {
    await lab.newNotebook();
    pid = await lab.says(await lab.run('import os, time\nprint(os.getpid())'), /^\d+\n$/);
    cell = await lab.enter(endless(file('printed'), file('enough')));
    await until('some lines', async () => (await printed(cell)).length > 15);
  });

  await step('the gateway dies, and the kernel prints on where nobody listens', async () => {
    page.expect(away);
    await gateway.kill();
    const then = await count();
    await until('lines that nobody heard', async () => await count() > then + 25);
    process.kill(Number(pid), 0);
    await shot(page, 'reconnect-away');
  });

  await step('JupyterLab comes back by itself', async () => {
    const heard = (await printed(cell)).length;
    await gateway.serve();
    await until('the page prints again', async () => (await printed(cell)).length > heard + 25);
    await shot(page, 'reconnect-back');
  });

  await step('every line is there, once and in order', async () => {
    await writeFile(file('enough'), '');
    await lab.done(cell);
    const lines = Array.from({ length: await count() }, (_, i) => `line ${i}`);
    await until('all of them', async () => (await printed(cell)).length >= lines.length);
    assert.deepEqual(await printed(cell), lines);
    await shot(page, 'reconnect-whole');
  });

  await step('the kernel is the one that it was', async () => {
    // Lab tells a person that the server was away, and waits for them to have read it.
    await page.addLocatorHandler(page.locator('.jp-Dialog', { hasText: 'Server Connection Error' }), notice => notice.locator('button').last().click());
    await lab.says(await lab.run('print(os.getpid())'), pid);
    await lab.idle();
  });

  await step('the page complained only that the gateway was away', () => page.calm());
});

// endless prints until there is a file, and keeps in another how many lines that were.
const endless = (printed, enough) => `i = 0
while not os.path.exists(${JSON.stringify(enough)}):
    print("line", i, flush=True)
    i += 1
    with open(${JSON.stringify(printed + '.new')}, "w") as f: f.write(str(i))
    os.rename(${JSON.stringify(printed + '.new')}, ${JSON.stringify(printed)})
    time.sleep(0.1)`;
