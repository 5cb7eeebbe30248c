// Notebook sessions: which kernel a document has.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../lib/until.mjs';
import { connect, execute, services } from '../../lib/services.mjs';

let gateway, raw, kernels, sessions, session;
const path = 'work/a.ipynb';
const options = { path, name: 'a.ipynb', type: 'notebook', kernel: { name: 'python3' } };

before(async () => {
  let serverSettings;
  ({ gateway, serverSettings, raw } = await connect());
  await raw('PUT', '/api/contents/work', { type: 'directory' });
  kernels = new services.KernelManager({ serverSettings });
  sessions = new services.SessionManager({ serverSettings, kernelManager: kernels });
  session = await sessions.startNew(options);
  await session.kernel.info;
});
after(async () => {
  sessions?.dispose();
  kernels?.dispose();
  await gateway?.close();
});

test('a session has a kernel that runs beside its document', async () => {
  assert.match((await execute(session.kernel, 'import os; print(os.getcwd())')).text, /\/work\n$/);
});

test('the same path gives the same session, with 201', async () => {
  const { status, json } = await raw('POST', '/api/sessions', options);
  assert.equal(status, 201);
  assert.equal(json.id, session.id);
  assert.equal(json.notebook.path, path);
});

test('path, name and type change, and are found', async () => {
  await session.setPath('work/z.ipynb');
  await session.setName('z');
  await session.setType('console');
  assert.deepEqual([session.path, session.name, session.type], ['work/z.ipynb', 'z', 'console']);
  await session.setType('notebook');
  await sessions.refreshRunning();
  assert.equal((await sessions.findByPath('work/z.ipynb')).id, session.id);
  assert.ok(await sessions.findById(session.id));
});

test('with another kernel the old one goes, and the new one works in the same place', { timeout: 300_000 }, async () => {
  const old = session.kernel.id;
  const fresh = await session.changeKernel({ name: 'python3' });
  await fresh.info;
  assert.notEqual(fresh.id, old);
  await until('the old kernel is gone', async () => (await raw('GET', '/api/kernels/' + old)).status === 404);
  assert.match((await execute(session.kernel, 'import os; print(os.getcwd())')).text, /\/work\n$/);
});

test('no path is 400, an unknown kernelspec 501', async () => {
  assert.equal((await raw('POST', '/api/sessions', { type: 'notebook', kernel: { name: 'python3' } })).status, 400);
  assert.equal((await raw('POST', '/api/sessions', { ...options, path: 'q.ipynb', kernel: { name: 'no-such' } })).status, 501);
});

test('what is shut down is 404', async () => {
  const { id } = session;
  await session.shutdown();
  assert.equal((await raw('GET', '/api/sessions/' + id)).status, 404);
});
