// Scene: a member gives the project the packages that it needs, and what runs follows.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { away, launch, open, shot, steps } from '../lib/browser.mjs';
import { Channel } from '../lib/channel.mjs';
import { Gateway } from '../lib/gateway.mjs';
import { Lab, sevenFaults } from '../lib/lab.mjs';
import { until } from '../lib/until.mjs';

const starter = `# what everybody here starts with
channels:
  - conda-forge
dependencies:
  - python=3.11
  - ipykernel
  - numpy
`;

let folder, channel, gateway, browser, page, owner, work, lab, seven, front;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hopyard-starter-'));
  await writeFile(join(folder, 'environment.yml'), starter);
  channel = await Channel.start();
  const environments = { ...channel.environments, starter: join(folder, 'environment.yml'), deny_licenses: ['AGPL-3.0-only'] };
  [gateway, browser] = await Promise.all([Gateway.start({ environments }), launch()]);
  await gateway.ask('POST', '/api/v1/users', { name: 'ada', display_name: 'Ada Lovelace' });
  await gateway.ask('PUT', '/api/v1/projects/demo/members/ada', { role: 'data_scientist' });
  const link = await gateway.ask('POST', '/api/v1/users/ada/login-links');
  front = page = await open(browser, { acceptDownloads: true });
  page.expect(...told, ...sevenFaults);
  await page.goto(link.url);
  owner = await open(browser);
  owner.expect(...told);
  await owner.goto(gateway.login);
});

after(async () => {
  await browser?.close();
  await gateway?.close();
  await channel?.close();
  await rm(folder, { recursive: true, force: true });
});

// What a browser notes when the gateway says no, which it does here on purpose.
const told = [/ 40[039] \(.*\/environments\/python\/solve\)/, / 400 \(.*\/environments\/python\)/, / 409 \(.*\/environments\/(shells|python\/builds\/2)\)/];

const busy = 600_000; // ms that a machine with much to do may take for a build
const api = '/api/v1/projects/demo/environments';
const environment = name => gateway.ask('GET', `${api}/${name}`);
const active = async name => (await environment(name)).active?.build;
const empty = { cells: [], metadata: { kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' } }, nbformat: 4, nbformat_minor: 5 };
const find = name => `import importlib.util; print(importlib.util.find_spec("${name}") is not None)`;

test('an environment, from the first to the last', async t => {
  const step = steps(t, () => front);
  const look = to => (front = to).bringToFront();
  const visit = (who, path) => who.goto(gateway.url + '/projects/demo/environments' + path);
  const go = path => visit(page, path);
  const button = (name, within = page) => within.getByRole('button', { name, exact: true });
  const press = (name, within = page) => button(name, within).click();
  const dialog = () => page.getByRole('dialog');
  const progress = () => page.getByRole('region', { name: 'Progress' });
  const alert = () => dialog().getByRole('alert');
  const main = page.getByRole('main');

  // add gathers packages and asks for the review.
  const add = async (...names) => {
    await go('');
    await press('Add packages');
    for (const name of names) {
      await dialog().getByLabel('Search packages').fill(name);
      await press(`Add ${name}`, dialog());
    }
    await press('Review changes', dialog());
  };

  await step('the first environment is there, and says where it is from', async () => {
    await until('it is built', () => active('python').catch(() => false), busy);
    await go('');
    await page.getByRole('heading', { name: 'python', exact: true }).waitFor();
    await main.getByText(/packages come from conda channels: .* answers/i).waitFor();
    const row = page.getByRole('row', { name: /^numpy/ });
    assert.match(await row.innerText(), /2\.4\.6[\s\S]*BSD/);
    await main.getByText(/Python 3\.11\.\d+/).first().waitFor();
  });

  await step('a notebook runs on it', async () => {
    front = work = await page.context().newPage();
    lab = await Lab.open(work, gateway.jupyter);
    await lab.newNotebook();
    await lab.says(await lab.run(find('pandas')), 'False\n');
    await work.keyboard.press('Control+s');
    await work.locator('.jp-Dialog input[type=text]').fill('first.ipynb');
    await work.locator('.jp-Dialog .jp-mod-accept').click();
    await lab.file('first.ipynb').waitFor();
  });

  await step('a package is found, and what it changes is shown with sizes before it happens', async () => {
    await look(page);
    await add('pandas', 'requests');
    const changes = dialog().getByLabel('Changes');
    await changes.waitFor();
    const said = await changes.innerText();
    for (const name of ['pandas', 'requests', 'certifi']) assert.ok(said.includes(name), `${name} is not in\n${said}`);
    assert.match(said, / MB/);
    assert.match(await dialog().innerText(), /stay as they are/);
    await shot(page, 'environment-diff');
  });

  await step('it is built, in front of one\'s eyes', async () => {
    await channel.faults({ hold: 'pandas-*' }); // as on a train
    await press('Build', dialog());
    await page.waitForURL(/\/builds\/2$/);
    await progress().getByText(/\d+ of \d+/).first().waitFor();
    await progress().getByText(/Fetching packages/).waitFor();
    await progress().getByText(/MB of/).first().waitFor();
    await shot(page, 'environment-build');
  });

  await step('a reload shows the same', async () => {
    await page.reload();
    await progress().getByText(/Fetching packages/).waitFor();
    await progress().getByText(/\d+ of \d+/).first().waitFor();
  });

  await step('the gateway is killed, and the page goes on', async () => {
    for (const p of [page, owner]) p.expect(away);
    assert.equal((await gateway.ask('GET', `${api}/python/builds/2`)).state, 'building');
    await gateway.kill();
    await page.getByText(/The connection is lost/).first().waitFor();
    await gateway.serve();
    await channel.faults({});
    await page.getByText('New programs get this build').waitFor({ timeout: busy });
    assert.equal(await active('python'), 2);
  });

  await step('the notebook says by itself that its kernel is on an older build', async () => {
    await look(work);
    await work.addLocatorHandler(work.locator('.jp-Dialog', { hasText: 'Server Connection Error' }), notice => notice.locator('button').last().click());
    await lab.notice.getByText('build 1 in use, 2 active: restart to use').waitFor();
    await shot(work, 'environment-notice');
    await look(page);
    await go('');
    await main.getByText('Build 1 is in use by 1 program, 2 is active: restart to use.').waitFor();
    await page.goto(gateway.url + '/projects/demo/running');
    await page.getByText('2 is active: restart to use').waitFor();
  });

  await step('a restart takes the new build', async () => {
    await look(work);
    await lab.notice.click();
    await lab.accept();
    await lab.notice.waitFor({ state: 'detached' });
    await lab.says(await lab.run('import pandas; print(pandas.__version__)'), '3.1.1\n');
  });

  await step('the saved notebook names the build that it ran on', async () => {
    await lab.tool('docmanager:save').click();
    const { lock } = await gateway.ask('GET', `${api}/python/builds/2`);
    const saved = await until('its metadata says so', async () => {
      const { content } = await gateway.ask('GET', '/p/demo/jupyter/api/contents/first.ipynb?type=notebook&content=1');
      return content.metadata.hopyard?.build === 2 && content.metadata.hopyard;
    });
    assert.equal(saved.name, 'python');
    assert.equal(saved.lock, lock);
  });

  await step('what does not fit together is shown as a tree', async () => {
    await look(page);
    await add('conflict-left', 'conflict-right');
    const tree = dialog().getByLabel('What does not fit together');
    await tree.waitFor();
    assert.match(await tree.innerText(), /conflict-base/);
    assert.equal(await button('Build', dialog()).count(), 0);
    await shot(page, 'environment-conflict');
  });

  await step('a refusal of the policy names its rule', async () => {
    await add('agpl');
    await alert().first().waitFor();
    assert.match(await alert().first().innerText(), /agpl has the licence AGPL-3\.0-only.*The rule is deny_licenses: AGPL-3\.0-only\./s);
    assert.ok(await button('Build', dialog()).isDisabled());
  });

  await step('an owner makes the rules stricter, and mistakes stand at their fields', async () => {
    await go('/python/settings');
    await main.getByText('It has none of its own. Data owners can set some.').waitFor();
    assert.equal(await button('Edit rules').count(), 0);
    await (front = owner).bringToFront();
    await visit(owner, '/python/settings');
    await press('Edit rules', owner);
    const form = owner.getByRole('dialog');
    const packages = form.getByRole('textbox', { name: 'Refused packages' });
    assert.match(await form.getByRole('listitem').filter({ hasText: 'AGPL-3.0-only' }).innerText(), /by the site/);
    assert.equal(await button('Remove AGPL-3.0-only', form).count(), 0);
    await packages.fill('*');
    await form.getByLabel('Days since their release').fill('a week');
    await press('Save rules', form);
    await form.getByText('Write a number of days, such as 7.').waitFor();
    await form.getByLabel('Days since their release').fill('');
    await press('Save rules', form);
    await form.getByText('"*" would refuse everything').waitFor();
    await until('it has the focus', () => packages.evaluate(input => input === document.activeElement));
    await shot(owner, 'environment-rules');
    await press('Remove *', form);
    await packages.fill('ipywidgets');
    await press('Save rules', form);
    await owner.getByText('The rules of python are saved. New solves and builds keep to them; build 2 stays in use.').last().waitFor();
    await look(page);
    await main.getByText('Refused packages: ipywidgets.').waitFor(); // nobody loaded it again
    await add('ipywidgets');
    await alert().first().waitFor();
    assert.match(await alert().first().innerText(), /The rule is deny_packages: ipywidgets\./);
    await (front = owner).bringToFront();
    await press('Edit rules', owner);
    await press('Remove ipywidgets', form);
    await press('Save rules', form);
    await owner.getByText('It has none of its own.').waitFor();
  });

  await step('a misspelled name gives near ones, and one is taken with a click', async () => {
    await look(page);
    await go('/python/spec');
    const editor = page.getByLabel('environment.yml', { exact: true }).last();
    const text = await until('the text is there', () => editor.inputValue());
    assert.match(text, /# what everybody here starts with/);
    await editor.fill(text + '  - ipywidgts\n');
    await press('Review changes');
    await alert().getByText('Did you mean').waitFor();
    await press('ipywidgets', alert());
    await dialog().getByLabel('Changes').getByText('widgetsnbextension').waitFor();
    await press('Cancel', dialog());
    await press('Discard');
  });

  await step('a mistake in environment.yml is marked at its line', async () => {
    const editor = page.getByLabel('environment.yml', { exact: true }).last();
    await editor.fill('dependencies:\n  - python=3.11\n  - numpy: [\n');
    await press('Review changes');
    await alert().waitFor();
    const said = await alert().innerText();
    await press('Back', dialog());
    const marked = await page.locator('.editor-lines .wrong').innerText();
    assert.ok(said.includes(`line ${marked}`) || Number(marked) >= 3, `line ${marked} is marked: ${said}`);
    assert.equal(await editor.getAttribute('aria-invalid'), 'true');
    await press('Discard');
  });

  await step('a build is canceled', async () => {
    await add('ipywidgets');
    await channel.faults({ hang: 'ipywidgets-*' });
    await press('Build', dialog());
    await page.waitForURL(/\/builds\/3$/);
    await progress().getByText(/Fetching packages/).waitFor();
    await press('Cancel build');
    await progress().getByText('canceled').waitFor();
    await channel.faults({});
    assert.equal(await active('python'), 2);
  });

  await step('Notebook 7 runs on it, too', async () => {
    await gateway.ask('PUT', '/p/demo/jupyter/api/contents/seven.ipynb', { type: 'notebook', format: 'json', content: empty });
    seven = new Lab(front = await page.context().newPage());
    await seven.connected(() => seven.page.goto(gateway.jupyter + '/notebooks/seven.ipynb'));
    await seven.says(await seven.run(find('pandas')), 'True\n');
    assert.equal(await seven.notice.count(), 0);
  });

  await step('yesterday comes back with one click', async () => {
    await look(page);
    await go('/python/builds');
    await press('Roll back to build 1');
    await dialog().getByText(/From build 2: /).waitFor();
    await press('Roll back', dialog());
    await page.getByText('python is back at build 1.').last().waitFor();
    await page.getByText('Rolled back from 2 to 1').waitFor();
    await look(work);
    await lab.notice.getByText('build 2 in use, 1 active: restart to use').waitFor();
    await lab.notice.click();
    await lab.accept();
    await lab.notice.waitFor({ state: 'detached' });
    await lab.says(await lab.run(find('pandas')), 'False\n');
  });

  await step('a build that a program runs on is not deleted, and the program is named', async () => {
    await (front = owner).bringToFront();
    await visit(owner, '/python/builds');
    await press('Delete build 2', owner);
    assert.equal(await button('Delete build 1', owner).count(), 0, 'the active build can be deleted');
    await press('Delete build', owner.getByRole('dialog'));
    await owner.getByRole('alert').getByText(/seven\.ipynb .* runs on build 2/).waitFor();
    await press('Cancel', owner.getByRole('dialog'));
  });

  await step('Notebook 7 says so as well, also where it is opened later, and its restart takes the active build', async () => {
    await look(seven.page);
    const words = 'build 2 in use, 1 active: restart to use';
    await seven.notice.getByText(words).waitFor();
    await shot(seven.page, 'environment-notice-seven');
    await seven.connected(() => seven.page.reload());
    await seven.notice.getByText(words).click();
    await seven.accept();
    await seven.notice.waitFor({ state: 'detached' });
    await seven.says(await seven.run(find('pandas')), 'False\n');
    await seven.page.keyboard.press('Control+s');
    await until('its metadata names the build', async () => {
      const { content } = await gateway.ask('GET', '/p/demo/jupyter/api/contents/seven.ipynb?type=notebook&content=1');
      return content.metadata.hopyard?.build === 1;
    });
    await seven.page.close();
  });

  await step('a second environment is in Lab\'s launcher by itself, with a kernel of another language', async () => {
    await look(work);
    await lab.menu('File', 'New Launcher');
    await look(page);
    await go('');
    await press('New environment');
    await dialog().getByLabel('Name').fill('shells');
    await dialog().getByLabel('environment.yml').fill('dependencies:\n  - python=3.11\n  - ipykernel\n  - bash-kernel\n  - bash-kernelspec\n');
    await press('Make and build', dialog());
    await page.getByText('New programs get this build').waitFor({ timeout: busy });
    await look(work);
    const cards = work.locator('.jp-Launcher:not(.lm-mod-hidden) .jp-LauncherCard[data-category="Notebook"]');
    await cards.filter({ hasText: 'Python 3.11 (shells)' }).waitFor();
    await shot(work, 'environment-launcher');
    await lab.connected(() => cards.filter({ hasText: 'Bash (shells)' }).click());
    await lab.idle();
    await lab.says(await lab.run('echo $((6 * 7))'), /^42\s*$/);
  });

  await step('an environment in use is not deleted, and the kernel is named', async () => {
    await (front = owner).bringToFront();
    await visit(owner, '/shells/settings');
    await press('Delete environment', owner);
    const asked = owner.getByRole('dialog');
    await asked.getByText('These programs run on it and must be stopped first:').waitFor();
    const listed = await asked.getByRole('listitem').first().innerText();
    await asked.getByRole('textbox').fill('shells');
    await press('Delete environment', asked);
    const refused = await asked.getByRole('alert').innerText();
    assert.ok(refused.includes(listed.split(/\s/)[0]), `${JSON.stringify(refused)} does not name ${listed}`);
    assert.equal(await active('shells'), 1);
    await press('Cancel', asked);
  });

  await step('it is taken elsewhere in each form', async () => {
    await look(page);
    await go('/python/use');
    await page.getByText('hopyard env run python --project demo -- python script.py').waitFor();
    for (const [name, inside] of Object.entries(exports)) {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: `Download ${name}`, exact: true }).click()]);
      const text = await readFile(await download.path(), 'utf8');
      assert.match(text, inside, name);
    }
  });

  await step('it is packed for a cluster, and the page is told when it is', async () => {
    const asked = { archive: 0, environment: 0 };
    page.on('request', request => {
      const { pathname } = new URL(request.url());
      if (request.method() !== 'GET') return;
      asked.archive += /\/builds\/\d+\/archive$/.test(pathname);
      asked.environment += pathname === api + '/python';
    });
    const archive = page.getByRole('region', { name: 'Packed for a cluster' });
    await press('Pack it', archive);
    const file = archive.getByRole('link', { name: 'Download' });
    await archive.getByText(/^Packing build 1/).or(file).first().waitFor();
    await file.waitFor({ timeout: busy });
    const [download] = await Promise.all([page.waitForEvent('download'), file.click()]);
    assert.equal(download.suggestedFilename(), 'python-1.tar.gz');
    await archive.getByText('spark.pyspark.python').waitFor();
    // Each change has the page read both again, and once it was the page itself that had done something.
    assert.ok(asked.archive <= asked.environment + 3, `the page asked ${asked.archive} times, and was told something ${asked.environment} times`);
  });

  await step('the notebook\'s environment is made again from it', async () => {
    await press('Re-create an environment');
    await dialog().getByLabel('Name').fill('again');
    await dialog().getByRole('textbox', { name: 'Notebook' }).fill('first.ipynb');
    await press('Make and build', dialog());
    await page.getByText('The same content was built before, so it was ready at once.').waitFor();
    const { metadata } = (await gateway.ask('GET', '/p/demo/jupyter/api/contents/first.ipynb?type=notebook&content=1')).content;
    assert.equal((await gateway.ask('GET', `${api}/again/builds/1`)).lock, metadata.hopyard.lock);
  });

  await step('the pages fit wide and narrow screens, in light and dark', () => fits());

  await step('a build is deleted, and it is said what that frees', async () => {
    await (front = owner).bringToFront();
    await visit(owner, '/python/builds/2');
    owner.expect(/ 404 \(.*\/python\/builds\/2([/?].*)?\)/); // the page may hear that it is gone before it is left
    await press('Delete build', owner);
    const asked = owner.getByRole('dialog');
    await asked.getByText(/The next collection frees its files, up to \d+ MB/).waitFor();
    await asked.getByText(/The lock stays, too/).waitFor();
    await press('Delete build', asked);
    await owner.waitForURL(/\/python\/builds$/);
    await owner.getByText('Build 2 of python is deleted.').last().waitFor();
    await owner.getByRole('row', { name: /^Build 2/ }).waitFor({ state: 'detached' });
    assert.deepEqual((await gateway.ask('GET', `${api}/python/builds`)).items.map(b => b.build), [3, 1]);
  });

  await step('the pages complained of nothing', () => [page, owner].forEach(p => p.calm()));
});

const exports = {
  'As written': /# what everybody here starts with/,
  'environment.yml with exact versions': /numpy=2\.4\.6/,
  'Explicit list': /@EXPLICIT[\s\S]*numpy-2\.4\.6-py311_0\.conda/,
  'conda-lock': /"?sha256"?:/,
  'requirements.txt with hashes': /numpy==2\.4\.6|no wheels|#/,
  CycloneDX: /"bomFormat": ?"CycloneDX"/,
};

const pages = {
  list: '', packages: '/python', spec: '/python/spec', builds: '/python/builds', build: '/python/builds/2', failed: '/python/builds/3', use: '/python/use',
  settings: '/python/settings',
};

// fits visits all pages in four looks. Nothing may stick out sideways.
async function fits() {
  for (const width of [1280, 390]) {
    for (const colorScheme of ['light', 'dark']) {
      await page.setViewportSize({ width, height: width === 390 ? 844 : 800 });
      await page.emulateMedia({ colorScheme });
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(gateway.url + '/projects/demo/environments' + path);
        await page.locator('h1').waitFor();
        await until('it is drawn', async () => await page.locator('.bone, .skeleton').count() === 0);
        await shot(page, `environment-${name}-${width}-${colorScheme}`);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${path} sticks out by ${over} px at ${width} px`);
      }
    }
  }
}
