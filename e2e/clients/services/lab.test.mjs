// What JupyterLab's pages need beside Jupyter's own API: settings, workspaces, translations, exports, config, events and the page.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../lib/until.mjs';
import { connect, refused, services } from '../../lib/services.mjs';

let gateway, serverSettings, raw;
before(async () => { ({ gateway, serverSettings, raw } = await connect()); });
after(() => gateway?.close());

const themes = '@jupyterlab/apputils-extension:themes';

test('settings are listed, by id and whole', async () => {
  const settings = new services.SettingManager({ serverSettings });
  assert.ok((await settings.list('ids')).ids.length > 50);
  const { values } = await settings.list();
  assert.ok(values.length > 50);
  for (const { id, schema, raw } of values) assert.ok(schema && raw !== undefined, id);
});

test('settings keep their comments', async () => {
  const settings = new services.SettingManager({ serverSettings });
  const text = '{\n// dark\n"theme": "JupyterLab Dark"}';
  await settings.save(themes, text);
  assert.equal((await settings.fetch(themes)).raw, text);
});

test('a setting that does not fit its schema is 400, an unknown plugin 404', async () => {
  const settings = new services.SettingManager({ serverSettings });
  await refused(settings.save(themes, '{"theme": 5}'), 400);
  await refused(settings.fetch('@jupyterlab/nope:nope'), 404);
});

test('workspaces are kept and removed', async () => {
  const workspaces = new services.WorkspaceManager({ serverSettings });
  await workspaces.save('mine', { data: { a: 1 }, metadata: { id: 'mine' } });
  assert.deepEqual((await workspaces.fetch('mine')).data, { a: 1 });
  assert.ok((await workspaces.list()).ids.includes('mine'));
  await workspaces.remove('mine');
  assert.ok(!(await workspaces.list()).ids.includes('mine'));
});

test('translations always answer: Lab does not start without', async () => {
  const { status, json } = await raw('GET', '/lab/api/translations/en');
  assert.equal(status, 200);
  assert.ok('data' in json);
});

test('a notebook is exported', { timeout: 300_000 }, async () => {
  const formats = await new services.NbConvertManager({ serverSettings }).getExportFormats();
  assert.ok(formats.html && formats.script, Object.keys(formats).join());
  const content = { cells: [{ cell_type: 'markdown', id: 'a', metadata: {}, source: '# Title' }], metadata: {}, nbformat: 4, nbformat_minor: 5 };
  await raw('PUT', '/api/contents/export.ipynb', { type: 'notebook', format: 'json', content });
  const { status, text } = await raw('GET', '/nbconvert/html/export.ipynb');
  assert.equal(status, 200);
  assert.match(text, /<html[\s\S]*Title/i);
});

test('a section of the configuration is kept', async () => {
  const section = await services.ConfigSection.create({ name: 'mine', serverSettings });
  await section.update({ a: 1 });
  assert.equal((await raw('GET', '/api/config/mine')).json.a, 1);
});

test('a subscriber hears of a save', async () => {
  const events = new services.EventManager({ serverSettings });
  const heard = [];
  events.stream.connect((_, event) => heard.push(event));
  await until('it is heard', async () => {
    await raw('PUT', '/api/contents/event.txt', { type: 'file', format: 'text', content: 'x' });
    return heard.some(e => /contents_service/.test(e.schema_id) && /event\.txt/.test(e.path));
  });
  events.dispose();
});

test('the page tells Lab where it is, and its script is there', async () => {
  const { status, text } = await raw('GET', '/lab');
  assert.equal(status, 200);
  const config = JSON.parse(text.match(/<script id="jupyter-config-data"[^>]*>([\s\S]*?)<\/script>/)[1]);
  assert.equal(config.baseUrl, '/p/demo/jupyter/');
  assert.ok(config.federated_extensions.some(e => e.name === '@jupyter-widgets/jupyterlab-manager'));
  assert.ok(!JSON.stringify(config).includes(gateway.data), 'the page names folders of the server');
  const script = await fetch(new URL(text.match(/<script[^>]*src="([^"]+)"/)[1], gateway.url));
  assert.equal(script.status, 200);
});
