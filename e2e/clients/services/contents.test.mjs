// Files, directories and notebooks.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, refused, services } from '../../lib/services.mjs';

let gateway, raw, contents, files;

before(async () => {
  let serverSettings;
  ({ gateway, serverSettings, raw } = await connect());
  contents = new services.ContentsManager({ serverSettings });
  files = join(gateway.data, 'projects/demo/files');
});
after(async () => {
  contents?.dispose();
  await gateway?.close();
});

const notebook = (...sources) => ({
  cells: sources.map((source, i) => ({ cell_type: 'markdown', id: `c${i}`, metadata: {}, source })),
  metadata: {}, nbformat: 4, nbformat_minor: 5,
});
const saveText = (path, content) => contents.save(path, { type: 'file', format: 'text', content });
const saveNotebook = (path, content) => contents.save(path, { type: 'notebook', format: 'json', content });
const read = (path, options = {}) => contents.get(path, { content: true, ...options });

test('directories are made and listed', async () => {
  await contents.save('dir', { type: 'directory' });
  await saveText('dir/in.txt', 'x');
  const { type, content } = await read('dir');
  assert.equal(type, 'directory');
  assert.deepEqual(content.map(c => [c.name, c.path, c.content]), [['in.txt', 'dir/in.txt', null]]);
});

test('untitled things are numbered', async () => {
  await contents.save('untitled', { type: 'directory' });
  const names = [];
  for (const options of [{ type: 'notebook' }, { type: 'notebook' }, { type: 'file', ext: '.txt' }, { type: 'directory' }]) {
    names.push((await contents.newUntitled({ path: 'untitled', ...options })).name);
  }
  assert.deepEqual(names, ['Untitled.ipynb', 'Untitled1.ipynb', 'untitled.txt', 'Untitled Folder']);
});

test('a notebook comes back as it was saved; without content it has none', async () => {
  assert.equal((await saveNotebook('a.ipynb', notebook('hé'))).type, 'notebook');
  const whole = await read('a.ipynb');
  assert.equal(whole.format, 'json');
  assert.equal(whole.content.cells[0].source, 'hé');
  const bare = await contents.get('a.ipynb', { content: false });
  assert.equal(bare.content, null);
  assert.ok(bare.created && bare.last_modified);
});

test('a file that is no notebook is refused, and says why', async () => {
  await writeFile(join(files, 'broken.ipynb'), '{"cells": [');
  const { status, json } = await raw('GET', '/api/contents/broken.ipynb?type=notebook&content=1');
  assert.equal(status, 400);
  assert.match(json.message, /broken\.ipynb|JSON/);
});

test('the hash is the SHA-256 of the bytes', async () => {
  await saveText('hash.txt', 'hash me\n');
  const { json } = await raw('GET', '/api/contents/hash.txt?hash=1&content=0');
  assert.equal(json.hash_algorithm, 'sha256');
  assert.equal(json.hash, createHash('sha256').update('hash me\n').digest('hex'));
});

test('bytes travel as base64, and are no text', async () => {
  const content = Buffer.from([0, 255, 128, 1]).toString('base64');
  await contents.save('bytes.bin', { type: 'file', format: 'base64', content });
  assert.equal((await read('bytes.bin', { type: 'file', format: 'base64' })).content.trim(), content);
  await refused(read('bytes.bin', { type: 'file', format: 'text' }), 400);
});

test('an upload in chunks is one file', async () => {
  for (const [chunk, letter] of [[1, 'A'], [2, 'B'], [-1, 'C']]) {
    const content = Buffer.from(letter.repeat(1000)).toString('base64');
    assert.equal((await contents.save('chunks.txt', { type: 'file', format: 'base64', content, chunk })).name, 'chunks.txt');
  }
  assert.equal((await read('chunks.txt')).content, 'A'.repeat(1000) + 'B'.repeat(1000) + 'C'.repeat(1000));
});

test('rename moves, over nothing else', async () => {
  await saveText('from.txt', 'x');
  await saveText('taken.txt', 'y');
  assert.equal((await contents.rename('from.txt', 'to.txt')).path, 'to.txt');
  await refused(contents.rename('to.txt', 'taken.txt'), 409);
  await refused(contents.get('from.txt'), 404);
});

test('a copy is called so', async () => {
  await saveNotebook('original.ipynb', notebook());
  assert.equal((await contents.copy('original.ipynb', '')).name, 'original-Copy1.ipynb');
});

test('names may have any characters', async () => {
  for (const name of ['a b.txt', 'ü中.txt', '100%.txt', 'a+b.txt', 'c#d.txt', 'q?r.txt', "it's.txt"]) {
    await saveText(name, name);
    assert.equal((await read(name)).content, name);
  }
});

test('a checkpoint brings back what was there', async () => {
  await saveNotebook('point.ipynb', notebook('kept'));
  const { id } = await contents.createCheckpoint('point.ipynb');
  await saveNotebook('point.ipynb', notebook());
  await contents.restoreCheckpoint('point.ipynb', id);
  assert.equal((await read('point.ipynb')).content.cells.length, 1);
  assert.equal((await contents.listCheckpoints('point.ipynb')).length, 1);
  await contents.deleteCheckpoint('point.ipynb', id);
  assert.deepEqual(await contents.listCheckpoints('point.ipynb'), []);
});

test('files are downloaded, and cannot run script here', async () => {
  await saveText('page.html', '<script>alert(1)</script>');
  const address = await contents.getDownloadUrl('page.html');
  const answer = await fetch(address, { headers: { Authorization: 'token ' + gateway.token } });
  assert.equal(await answer.text(), '<script>alert(1)</script>');
  assert.match(answer.headers.get('content-security-policy'), /sandbox/);
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  const download = await raw('GET', '/files/page.html?download=1');
  assert.match(download.headers.get('content-disposition'), /^attachment/);
});

test('nothing outside the project can be read, by no spelling and through no link', async () => {
  await symlink('/etc', join(files, 'out'));
  for (const path of ['..%2f..%2fetc%2fpasswd', '%2e%2e/%2e%2e/etc/passwd', 'a/..%2f..%2f..%2f..%2fetc/passwd', 'out/passwd']) {
    for (const door of ['/api/contents/', '/files/']) {
      const { status, text } = await raw('GET', door + path);
      assert.ok([400, 403, 404].includes(status), `${door}${path}: ${status}`);
      assert.ok(!text.includes('root:'), path);
    }
  }
});

test('hidden files are not there, and a wrong type is 400', async () => {
  await writeFile(join(files, '.hidden'), 'x');
  assert.equal((await raw('GET', '/api/contents/.hidden')).status, 404);
  await saveText('plain.txt', 'x');
  assert.equal((await raw('GET', '/api/contents/plain.txt?type=directory')).status, 400);
});

test('PUT is 201 for the new and 200 for the old, POST is 201 with a Location', async () => {
  const model = { type: 'file', format: 'text', content: 'x' };
  assert.equal((await raw('PUT', '/api/contents/put.txt', model)).status, 201);
  assert.equal((await raw('PUT', '/api/contents/put.txt', model)).status, 200);
  const made = await raw('POST', '/api/contents/', { type: 'file', ext: '.md' });
  assert.equal(made.status, 201);
  assert.ok(made.headers.get('location').endsWith('/api/contents/' + made.json.path));
});

test('trust is 201', async () => {
  await saveNotebook('trust.ipynb', notebook());
  assert.equal((await raw('POST', '/api/contents/trust.ipynb/trust')).status, 201);
});

test('10 MB are saved and read; what is deleted is gone, and said to be', async () => {
  await saveText('big.txt', 'x'.repeat(10_000_000));
  assert.equal((await read('big.txt')).content.length, 10_000_000);
  let told;
  contents.fileChanged.connect((_, change) => { told = change.type; });
  await contents.delete('big.txt');
  assert.equal(told, 'delete');
  await refused(contents.get('big.txt'), 404);
});

test('200 MB are uploaded as Lab does it, piece by piece', { timeout: 600_000 }, async () => {
  const piece = Buffer.alloc(4 << 20, 7).toString('base64');
  const pieces = 50;
  for (let i = 1; i <= pieces; i++) {
    const answer = await raw('PUT', '/api/contents/huge.bin', { type: 'file', format: 'base64', content: piece, chunk: i < pieces ? i : -1 });
    assert.ok([200, 201].includes(answer.status), answer.text);
  }
  assert.equal((await contents.get('huge.bin', { content: false })).size, pieces * (4 << 20));
});
