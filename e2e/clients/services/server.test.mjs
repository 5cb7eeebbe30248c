// What holds for every address, and who one is.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, services } from '../../lib/services.mjs';

let gateway, serverSettings, raw;
before(async () => { ({ gateway, serverSettings, raw } = await connect()); });
after(() => gateway?.close());

test('the version needs no token', async () => {
  const answer = await fetch(gateway.jupyter + '/api');
  assert.equal(answer.status, 200);
  assert.match((await answer.json()).version, /^2\.\d+\.\d+/);
});

test('without a token the status is refused with 403 and JSON', async () => {
  const answer = await fetch(gateway.jupyter + '/api/status');
  assert.equal(answer.status, 403);
  assert.ok('message' in await answer.json());
});

test('the status has its four facts, and times in the one form that gateway clients parse', async () => {
  const { status, json } = await raw('GET', '/api/status');
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(json).sort(), ['connections', 'kernels', 'last_activity', 'started']);
  for (const time of [json.started, json.last_activity]) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});

test('a token works in the query, as Bearer, as token and as password', async () => {
  const ask = (query, Authorization) => fetch(gateway.jupyter + '/api/kernels' + query, { headers: Authorization ? { Authorization } : {} });
  const { token } = gateway;
  assert.equal((await ask('?token=' + token)).status, 200);
  for (const header of [`Bearer ${token}`, `token ${token}`, 'Basic ' + btoa('any:' + token)]) {
    assert.equal((await ask('', header)).status, 200, header.split(' ')[0]);
  }
  assert.equal((await ask('', 'token wrong')).status, 403);
});

test('a bare number as query, which defeats caches, is tolerated', async () => {
  assert.equal((await raw('GET', '/api/kernels?1234567')).status, 200);
});

test('a body that is not JSON is 400, an unknown address 404, both with a message', async () => {
  const bad = await raw('POST', '/api/sessions', '{nope');
  assert.equal(bad.status, 400);
  assert.equal(typeof bad.json.message, 'string');
  const missing = await raw('GET', '/api/nothing-here');
  assert.equal(missing.status, 404);
  assert.equal(typeof missing.json.message, 'string');
});

test('the user has an identity, and the permissions that were asked about', async () => {
  const user = new services.UserManager({ serverSettings });
  await user.ready;
  assert.equal(user.identity.username, 'admin');
  assert.ok(user.identity.name);
  const wanted = { contents: ['read', 'write'], kernels: ['execute'] };
  const { json } = await raw('GET', '/api/me?permissions=' + encodeURIComponent(JSON.stringify(wanted)));
  assert.deepEqual(json.permissions.contents, wanted.contents);
  assert.deepEqual(json.permissions.kernels, wanted.kernels);
  user.dispose();
});
