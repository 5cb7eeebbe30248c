// Scene: the first visit. The printed link logs in, and the console shows and changes who is here and what runs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open, shot, steps } from '../lib/browser.mjs';
import { Gateway } from '../lib/gateway.mjs';
import { until } from '../lib/until.mjs';

let gateway, browser, page;

before(async () => {
  [gateway, browser] = await Promise.all([Gateway.start(), launch()]);
  page = await open(browser);
});

after(async () => {
  await browser?.close();
  await gateway?.close();
});

const openNotebook = path => gateway.ask('POST', '/p/demo/jupyter/api/sessions', { path, name: path, type: 'notebook', kernel: { name: 'python3' } });
const startKernel = () => gateway.ask('POST', '/p/demo/jupyter/api/kernels', { name: 'python3' });

test('the console', async t => {
  const step = steps(t, () => page);
  const press = (name, within = page) => within.getByRole('button', { name, exact: true }).click();
  const dialog = () => page.getByRole('dialog');
  const go = path => page.goto(gateway.url + path);

  await step('without a login there is only the login page', async () => {
    await go('/projects/demo');
    await page.waitForURL(/\/login/);
    await page.getByLabel('Password').waitFor();
    await shot(page, 'console-login');
  });

  await step('the printed link logs in as the administrator', async () => {
    await page.goto(gateway.login);
    await page.getByText('Administrator').first().waitFor();
    await page.getByRole('link', { name: /demo/ }).first().waitFor();
  });

  await step('the link works once', async () => {
    const other = await open(browser);
    const answer = await other.goto(gateway.login);
    assert.ok(answer.status() >= 400, `the second use was answered with ${answer.status()}`);
    const me = await other.request.get(gateway.url + '/api/v1/me');
    assert.equal(me.status(), 401);
    await shot(other, 'console-link-used');
    await other.context().close();
  });

  await step('the project has its doors', async () => {
    await page.getByRole('link', { name: /demo/ }).first().click();
    for (const [door, path] of [['JupyterLab', 'lab'], ['Notebook', 'tree']]) {
      const link = page.getByRole('navigation', { name: 'Open a notebook' }).getByRole('link', { name: new RegExp(`^${door}`) });
      assert.equal(await link.getAttribute('href'), `/p/demo/jupyter/${path}`);
    }
  });

  await step('the list of what runs changes by itself', async () => {
    await go('/projects/demo/running');
    await page.getByText('Nothing runs').waitFor();
    const [first] = await Promise.all([startKernel(), startKernel()]);
    const rows = page.locator('table.workloads tbody tr:not(.over):not(.skeleton)');
    await until('two kernels are listed', async () => await rows.count() === 2);
    await until('with their memory', async () => (await rows.first().innerText()).includes(' MB'));
    await shot(page, 'console-running');
    await gateway.ask('DELETE', `/p/demo/jupyter/api/kernels/${first.id}`);
    await until('one is left', async () => await rows.count() === 1);
    await rows.first().getByRole('button', { name: /^Stop/ }).click();
    await press('Stop it', dialog());
    await until('none is left', async () => await rows.count() === 0);
  });

  await step('a user is made, with a link to log in', async () => {
    await go('/users');
    await press('New user');
    await dialog().getByLabel('User name').fill('ada');
    await dialog().getByLabel('Full name').fill('Ada Lovelace');
    await press('Make user', dialog());
    const link = await dialog().getByLabel('Login link').inputValue();
    await press('Done', dialog());
    await page.getByText('Ada Lovelace').waitFor();
    const hers = await open(browser);
    await hers.goto(link);
    assert.equal((await (await hers.request.get(gateway.url + '/api/v1/me')).json()).user, 'ada');
    assert.equal((await hers.request.get(gateway.jupyter + '/api/kernels')).status(), 404, 'a project that she is not in shows itself');
    await hers.context().close();
  });

  await step('Escape closes a dialog, and the focus goes back to where it was', async () => {
    await go('/projects/demo/environments');
    const opener = page.getByRole('button', { name: 'New environment' });
    await opener.press('Enter');
    await dialog().getByLabel('Name').press('Escape');
    await dialog().waitFor({ state: 'detached' });
    assert.ok(await opener.evaluate(x => x === document.activeElement), 'the focus is lost');
    await opener.press('Enter');
    await dialog().getByRole('textbox', { name: 'environment.yml' }).press('Escape'); // so that Tab leaves the field
    await page.keyboard.press('Tab');
    await until('the focus has left the text', () => page.evaluate(() => document.activeElement?.tagName === 'BUTTON'));
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'detached' });
  });

  await step('a member is added in a role', async () => {
    await go('/projects/demo/members');
    await press('Add member');
    await dialog().getByLabel('Person').fill('ada');
    await dialog().getByLabel('Person').press('Enter');
    await dialog().getByLabel('Role').selectOption('data_scientist');
    await press('Add', dialog());
    await page.locator('.list-row', { hasText: 'Ada Lovelace' }).waitFor();
    const members = await gateway.ask('GET', '/api/v1/projects/demo/members');
    assert.equal(members.items.find(m => m.user === 'ada')?.role, 'data_scientist');
  });

  await step('a token is shown once, and works', async () => {
    await go('/projects/demo/tokens');
    await press('New token');
    await dialog().getByLabel('What for').fill('nightly report');
    await press('Make token', dialog());
    const token = await dialog().getByLabel('Token').inputValue();
    const answer = await fetch(gateway.jupyter + '/api/kernels', { headers: { Authorization: `token ${token}` } });
    assert.equal(answer.status, 200);
    await press('Done', dialog());
    await page.getByText('nightly report').first().waitFor();
    await page.reload();
    await page.getByText('nightly report').first().waitFor();
    assert.ok(!(await page.content()).includes(token), 'the token is still in the page');
  });

  await step('pages fit wide and narrow screens, in light and dark', () => fits());

  await step('the page complained of nothing', () => page.calm());
});

const pages = { projects: '/', project: '/projects/demo', running: '/projects/demo/running', members: '/projects/demo/members', tokens: '/projects/demo/tokens', users: '/users' };

// fits visits all pages in four looks. Nothing may stick out sideways.
async function fits() {
  await Promise.all(['weather.ipynb', 'forecast.ipynb'].map(openNotebook));
  await until('both kernels are up', async () => {
    const { items } = await gateway.ask('GET', '/api/v1/projects/demo/workloads');
    return items.filter(w => w.activity === 'idle' && w.memory_bytes > 30e6).length === 2;
  });
  for (const width of [1280, 390]) {
    for (const colorScheme of ['light', 'dark']) {
      await page.setViewportSize({ width, height: width === 390 ? 844 : 800 });
      await page.emulateMedia({ colorScheme });
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(gateway.url + path);
        await page.locator('h1').waitFor();
        await until('it is drawn', async () => await page.locator('.bone, .skeleton').count() === 0);
        await shot(page, `console-${name}-${width}-${colorScheme}`);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${path} sticks out by ${over} px at ${width} px`);
      }
    }
  }
}
