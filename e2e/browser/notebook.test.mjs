// Scene: the Notebook 7 pages, for people who want one notebook and nothing around it.
import { after, before, test } from 'node:test';
import { launch, open, shot, steps } from '../lib/browser.mjs';
import { Gateway } from '../lib/gateway.mjs';
import { Lab, sevenFaults } from '../lib/lab.mjs';

let gateway, browser, page, front;

before(async () => {
  [gateway, browser] = await Promise.all([Gateway.start(), launch()]);
  front = page = await open(browser);
  page.expect(...sevenFaults);
  await page.goto(gateway.login);
});

after(async () => {
  await browser?.close();
  await gateway?.close();
});

const cell = { cell_type: 'code', id: 'one', metadata: {}, source: 'print(6 * 7)', outputs: [], execution_count: null };
const kernelspec = { name: 'python3', display_name: 'Python 3 (ipykernel)', language: 'python' };
const content = { cells: [cell], metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 };

test('Notebook 7', async t => {
  const step = steps(t, () => front);

  await step('the tree lists what is there', async () => {
    await gateway.ask('PUT', '/p/demo/jupyter/api/contents/seven.ipynb', { type: 'notebook', format: 'json', content });
    await page.goto(gateway.jupyter + '/tree');
    await new Lab(page).file('seven.ipynb').waitFor();
    await shot(page, 'notebook-tree');
  });

  await step('a notebook opens in a tab of its own and runs a cell', async () => {
    const [opened] = await Promise.all([page.waitForEvent('popup'), new Lab(page).file('seven.ipynb').dblclick()]);
    const seven = new Lab(front = opened);
    await seven.connected();
    await seven.cells.first().locator('.cm-content').click();
    await opened.keyboard.press('Control+Enter');
    await seven.done(seven.cells.first());
    await seven.says(seven.cells.first(), '42\n');
    await shot(opened, 'notebook-seven');
  });

  await step('the pages complained of nothing', () => page.calm());
});
