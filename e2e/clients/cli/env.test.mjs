// `hopyard env`: what the pages do, from a shell.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { Channel } from '../../lib/channel.mjs';
import { Gateway } from '../../lib/gateway.mjs';
import { until } from '../../lib/until.mjs';

const binary = process.env.HOPYARD || resolve(import.meta.dirname, '../../../bin/hopyard');
const condaStarter = 'dependencies:\n  - python=3.11\n';
const wheelStarter = 'dependencies:\n  - python\n  - pip:\n      - cowsay\n';

let folder, channel, silent, gateway, wheels;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hopyard-cli-'));
  [channel, silent] = await Promise.all([Channel.start(), Channel.start()]);
  await silent.faults({ not_found: 'repodata*' }); // its index answers, its channel does not
  [gateway, wheels] = await Promise.all([
    Gateway.start({ environments: { ...channel.environments, starter: await file('conda.yml', condaStarter) } }),
    Gateway.start({ environments: { ...silent.environments, starter: await file('wheels.yml', wheelStarter) } }),
  ]);
  for (const g of [gateway, wheels]) {
    await until('the first environment is built', () => env(g, 'show', 'python').then(said => /in use/.test(said), () => false), 600_000)
      .catch(e => { throw new Error(`${e.message}; the gateway said:\n${g.log}`); });
  }
});

after(async () => {
  await Promise.all([gateway?.close(), wheels?.close()]);
  await Promise.all([channel?.close(), silent?.close()]);
  await rm(folder, { recursive: true, force: true });
});

async function file(name, text) {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

// env runs a command against a gateway and gives what it printed. One that fails is an error with what it said.
const env = (g, command, ...args) => new Promise((said, failed) => {
  execFile(binary, ['env', command, '--data', g.data, ...args], { maxBuffer: 1 << 26, cwd: folder }, (error, out, err) => {
    if (error) failed(Object.assign(new Error(err), { code: error.code }));
    else said(out);
  });
});
const cli = (command, ...args) => env(gateway, command, ...args);

test('an environment from a file, until it is deleted', async t => {
  await t.test('create makes and builds it', async () => {
    const text = await file('environment.yml', '# ours\ndependencies:\n  - python=3.11\n  - numpy\n');
    assert.match(await cli('create', 'analysis', '-f', text, '-m', 'to begin with'), /build 1 of analysis is ready: \d+ packages/);
    assert.match(await cli('list'), /python \(default\)[\s\S]*analysis +conda +1 +3\.11\.\d+/);
    assert.match(await cli('show', 'analysis'), /kind +conda: .*answers/);
  });

  await t.test('solve says what would change, with sizes, and changes nothing', async () => {
    const said = await cli('solve', 'analysis', '--add', 'pandas', '--add', 'pip:cowsay');
    assert.match(said, /\+ +pandas +3\.1\.1 +conda +\d/);
    assert.match(said, /\+ +cowsay +[\d.]+ +pip/);
    assert.match(said, /to download: /);
    assert.equal(JSON.parse(await cli('show', 'analysis', '--json')).revision, 1);
  });

  await t.test('what cannot be solved says why, and how it may be meant', async () => {
    await assert.rejects(cli('solve', 'analysis', '--add', 'nunpy'), /nunpy[\s\S]*numpy/);
    await assert.rejects(cli('solve', 'analysis', '--add', 'conflict-left', '--add', 'conflict-right'), /conflict-base/);
    await assert.rejects(cli('solve', 'analysis', '-f', await file('bad.yml', 'dependencies:\n  - [\n')), /line \d|:\d+:\d+/);
  });

  await t.test('packages are searched, added and listed', async () => {
    assert.match(await cli('packages', 'search', 'pandas', '--from', 'conda'), /pandas +3\.1\.1 +conda/);
    assert.match(await cli('packages', 'add', 'analysis', 'requests', '-m', 'to fetch'), /build 2 of analysis is ready/);
    assert.match(await cli('packages', 'list', 'analysis'), /\* +requests +2\.34\.2/);
  });

  await t.test('build takes a changed file, and its log can be read again', async () => {
    const text = await file('environment.yml', '# ours\ndependencies:\n  - python=3.11\n  - numpy\n  - requests\n  - pip:\n      - cowsay\n');
    assert.match(await cli('build', 'analysis', '-f', text), /build 3 of analysis is ready/);
    assert.match(await cli('log', 'analysis', '3'), /build 3 of analysis is ready/);
    const events = (await cli('log', 'analysis', '3', '--json')).trim().split('\n').map(line => JSON.parse(line));
    assert.deepEqual(events.map(e => e.seq), events.map((_, i) => i + 1));
    assert.equal(events.at(-1).type, 'result');
  });

  await t.test('run runs in it, and gives back what the program gives', async () => {
    const script = await file('script.py', 'import sys, numpy, cowsay, requests\nprint(sys.prefix, sys.argv[1])\n');
    const { active } = JSON.parse(await cli('show', 'analysis', '--json'));
    assert.equal(await cli('run', 'analysis', '--', 'python', script, 'an argument'), `${active.prefix} an argument\n`);
    await assert.rejects(cli('run', 'analysis', '--', 'python', '-c', 'raise SystemExit(7)'), { code: 7 });
  });

  for (const [format, inside] of Object.entries(formats)) {
    await t.test(`export writes ${format}`, async () => {
      await cli('export', 'analysis', '--format', format, '-o', join(folder, format));
      assert.match(await readFile(join(folder, format), 'utf8'), inside);
    });
  }

  await t.test('an exported lock makes the same again, at once', async () => {
    assert.match(await cli('create', 'again', '--lock', join(folder, 'lock')), /build 1 of again was there already and is ready/);
    const [one, two] = await Promise.all(['analysis', 'again'].map(async name =>
      JSON.parse(await cli('packages', 'list', name, '--json')).items.map(p => [p.name, p.version, p.build, p.url, p.sha256])));
    assert.deepEqual(two, one);
  });

  await t.test('rollback goes back without building', async () => {
    assert.match(await cli('rollback', 'analysis'), /build 2 of analysis is in use/);
    await assert.rejects(cli('run', 'analysis', '--', 'python', '-c', 'import cowsay'), /No module named 'cowsay'/);
    assert.match(await cli('activate', 'analysis', '3', '-m', 'forward again'), /build 3 of analysis is in use/);
    assert.match(await cli('history', 'analysis'), /3 +2 +\S+ +forward again[\s\S]*2 +3 +\S+ +rolled back/);
  });

  await t.test('gc says its rule and keeps what is in use', async () => {
    assert.match(await cli('gc'), /builds removed[\s\S]*rule: \w+/);
    assert.equal((await cli('run', 'analysis', '--', 'python', '-c', 'print(6 * 7)')).trim(), '42');
  });

  await t.test('delete removes it', async () => {
    await cli('delete', 'again');
    await assert.rejects(cli('show', 'again'), /again/);
  });
});

const formats = {
  spec: /^# ours/,
  environment: /numpy=2\.4\.6[\s\S]*cowsay==/,
  explicit: /^@EXPLICIT[\s\S]*numpy-2\.4\.6-py311_0\.conda/m,
  'conda-lock': /sha256/,
  requirements: /cowsay==[\d.]+ *\\?\s+--hash=sha256:/,
  cyclonedx: /"CycloneDX"[\s\S]*pkg:conda\/numpy@2\.4\.6/,
  lock: /"sha256"/,
};

test('where no channel answers, environments are made of wheels', async t => {
  const cliOf = (command, ...args) => env(wheels, command, ...args);

  await t.test('and that is said, with the reason', async () => {
    assert.match(await cliOf('show', 'python'), /kind +venv: .*package index.*cannot be used/i);
    assert.equal((await cliOf('run', 'python', '--', 'python', '-c', 'import cowsay; print("moo")')).trim(), 'moo');
  });

  await t.test('more are made, changed and exported', async () => {
    const text = await file('wheels.yml', 'dependencies:\n  - python\n  - pip:\n      - cowsay\n');
    assert.match(await cliOf('create', 'small', '-f', text), /build 1 of small .*is ready/);
    assert.match(await cliOf('packages', 'add', 'small', '--pip', 'tabulate'), /build 2 of small is ready/);
    assert.equal((await cliOf('run', 'small', '--', 'python', '-c', 'import cowsay, tabulate; print("both")')).trim(), 'both');
    assert.match(await cliOf('export', 'small', '--format', 'requirements'), /tabulate==[\s\S]*--hash=sha256:/);
    assert.match(await cliOf('rollback', 'small'), /build 1 of small is in use/);
  });

  await t.test('a wheel that would have to be compiled is refused', async () => {
    await assert.rejects(cliOf('solve', 'small', '--add', 'pip:only-sdist'), /only-sdist/);
  });
});
