// Scene: the gateway is killed while a cell prints. Nobody touches the page, and not a line is missing.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { away, launch, open, shot, steps } from '../lib/browser.mjs';
import { Gateway } from '../lib/gateway.mjs';
import { Lab } from '../lib/lab.mjs';
import { until } from '../lib/until.mjs';

const lines = 200;
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
  let pid, cell;

  await step('a cell prints a line every 100 ms', async () => {
    await lab.newNotebook();
    pid = await lab.text(await lab.run('import os, time\nprint(os.getpid())'));
    cell = await lab.enter(`for i in range(${lines}):\n    print("line", i, flush=True)\n    time.sleep(0.1)`);
    await until('some lines', async () => (await printed(cell)).length > 15);
  });

  await step('the gateway dies, and the kernel does not notice', async () => {
    page.expect(away);
    await gateway.kill();
    const last = (await printed(cell)).length;
    await new Promise(next => setTimeout(next, 2500)); // the kernel goes on printing where nobody listens
    assert.ok((await printed(cell)).length <= last + 3, 'lines came from a dead gateway');
    process.kill(Number(pid), 0);
    await shot(page, 'reconnect-away');
  });

  await step('JupyterLab comes back by itself', async () => {
    await Promise.all([lab.connected(), gateway.serve()]);
    await shot(page, 'reconnect-back');
  });

  await step('every line is there, once and in order', async () => {
    await lab.done(cell);
    assert.deepEqual(await printed(cell), Array.from({ length: lines }, (_, i) => `line ${i}`));
    await shot(page, 'reconnect-whole');
  });

  await step('the kernel is the one that it was', async () => {
    // Lab tells a person that the server was away, and waits for them to have read it.
    await page.addLocatorHandler(page.locator('.jp-Dialog', { hasText: 'Server Connection Error' }), notice => notice.locator('button').last().click());
    assert.equal(await lab.text(await lab.run('print(os.getpid())')), pid);
    await lab.idle();
  });

  await step('the page complained only that the gateway was away', () => page.calm());
});
