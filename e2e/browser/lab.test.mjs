// Scene: a person opens JupyterLab and works.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { launch, open, shot, steps } from '../lib/browser.mjs';
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

test('a person works in JupyterLab', async t => {
  const step = steps(t, () => page);

  await step('a new notebook runs a cell', async () => {
    await lab.newNotebook();
    await lab.says(await lab.run('print(6 * 7)'), '42\n');
  });

  await step('a plot appears as an image', async () => {
    const cell = await lab.run(plot);
    const image = cell.locator('.jp-OutputArea-output img');
    await image.waitFor();
    await until('it is drawn', () => image.evaluate(i => i.naturalWidth > 200));
    await shot(page, 'lab-plot');
  });

  await step('a slider that is moved here has moved in the kernel', async () => {
    const cell = await lab.run('import ipywidgets\nslider = ipywidgets.IntSlider(value=3, description="n")\nslider');
    const handle = cell.locator('.noUi-handle');
    await handle.focus();
    for (let i = 0; i < 4; i++) await handle.press('ArrowRight');
    await until('the readout says 7', async () => await cell.locator('.widget-readout').innerText() === '7');
    // The page sends a move when the kernel has taken the one before, and a cell does not wait for that.
    await until('the kernel has it', async () => await lab.says(await lab.run('print(slider.value)'), /^\d\n$/) === '7\n');
    await lab.run('slider.value = 42');
    await until('the readout follows the kernel', async () => await cell.locator('.widget-readout').innerText() === '42');
    await shot(page, 'lab-slider');
  });

  await step('interrupt stops a loop', async () => {
    const cell = await lab.enter('print("in the cell")\nwhile True:\n    pass');
    await until('it runs', async () => (await lab.text(cell)).includes('in the cell'));
    await lab.tool('notebook:interrupt-kernel').click();
    await lab.done(cell);
    await lab.says(cell, /KeyboardInterrupt/);
    await lab.idle();
  });

  await step('restart forgets names and runs on', async () => {
    await lab.run('remembered = 1');
    await lab.tool('notebook:restart-kernel').click();
    await page.locator('.jp-Dialog').waitFor();
    await lab.accept();
    await lab.says(await lab.run('print("remembered" in globals())'), 'False\n');
  });

  await step('the first save asks for a name, and keeps what was run', async () => {
    await page.keyboard.press('Control+s');
    const name = page.locator('.jp-Dialog input[type=text]');
    await name.fill('first.ipynb');
    await page.locator('.jp-Dialog .jp-mod-accept').click();
    await lab.file('first.ipynb').waitFor();
    const saved = await until('it is on disk', async () => {
      const file = await gateway.ask('GET', '/p/demo/jupyter/api/contents/first.ipynb?type=notebook&content=1').catch(() => undefined);
      return file?.content.cells.length > 2 && file;
    });
    assert.ok(saved.content.cells.some(c => c.outputs?.some(o => o.data?.['image/png'])), 'the plot is in the file');
  });

  await step('a file is uploaded', async () => {
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.locator('.jp-FileBrowser [data-jp-item-name="uploader"] jp-button').click(),
    ]);
    await chooser.setFiles({ name: 'up.csv', mimeType: 'text/csv', buffer: Buffer.from('a,b\n1,2\n') });
    await lab.file('up.csv').waitFor();
  });

  await step('it is renamed', async () => {
    await lab.file('up.csv').click();
    await page.keyboard.press('F2');
    await page.locator('.jp-DirListing-editor').fill('renamed.csv');
    await page.keyboard.press('Enter');
    await lab.file('renamed.csv').waitFor();
    await lab.file('up.csv').waitFor({ state: 'detached' });
  });

  await step('it is downloaded as it was', async () => {
    await lab.file('renamed.csv').click({ button: 'right' });
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('.lm-Menu-item[data-command="filebrowser:download"]').click(),
    ]);
    assert.equal(download.suggestedFilename(), 'renamed.csv');
    assert.equal(await readFile(await download.path(), 'utf8'), 'a,b\n1,2\n');
  });

  await step('a terminal echoes', async () => {
    const [socket] = await Promise.all([
      page.waitForEvent('websocket', { predicate: w => w.url().includes('/terminals/websocket/') }),
      lab.menu('File', 'New', 'Terminal'),
    ]);
    let screen = '';
    socket.on('framereceived', f => { screen += f.payload; });
    await until('a prompt', () => screen.includes('stdout'));
    await page.locator('.jp-Terminal').click();
    await page.keyboard.type('echo ter$((40+2))minal\n');
    await until('the echo', () => screen.includes('ter42minal'));
    await shot(page, 'lab-terminal');
  });

  await step('the page complained of nothing', () => page.calm());
});

const plot = `import matplotlib.pyplot as plt, numpy as np
x = np.linspace(0, 4 * np.pi, 400)
fig, ax = plt.subplots(figsize=(7, 3))
for k in range(1, 5):
    ax.plot(x, np.exp(-x / (3 * k)) * np.sin(k * x / 2), label=f"k = {k}")
ax.legend(); ax.set_title("damped waves")
plt.show()`;
