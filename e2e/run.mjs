// Runs all tests from outside: a real browser, real clients and bad days, against the real binary. They need Debian's chromium,
// Python with venv, patchelf and Go. Two at a time, because most of the time they wait.
//
//   node run.mjs [NAME...]    NAME is one of: browser services cli python badday
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Channel } from './lib/channel.mjs';
import { clear, own, seed, seeded } from './lib/own.mjs';

const here = import.meta.dirname;
const top = resolve(here, '..');
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'hopyard');
process.env.HOPYARD = resolve(process.env.HOPYARD || join(top, 'bin/hopyard'));
process.env.HOPYARD_TEST_PREPARED ||= join(cache, 'prepared');
process.env.HOPYARD_TEST_SEED ||= seed;

const watched = ['pandas-', 'requests-', 'ipywidgets-'];
const seedPackages = ['python=3.11', 'ipykernel', 'numpy', 'pandas', 'requests', 'ipywidgets', 'bash-kernel', 'bash-kernelspec'];

const tests = folder => readdirSync(join(here, folder)).filter(f => f.endsWith('.test.mjs')).map(f => join(here, folder, f));
// The library's managers poll on when a test is over, hence the force.
const node = folder => run(process.execPath, ['--test', '--test-concurrency=1', '--test-force-exit', ...tests(folder)]);

const suites = {
  browser: () => node('browser'),
  services: () => node('clients/services'),
  cli: () => node('clients/cli'),
  python: async () => run(await clients(), ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', join(here, 'clients/python')]),
  badday: () => run('go', ['test', '-v', '-tags', 'e2e', '-count=1', '-timeout', '30m', './e2e/badday'], { cwd: top }),
};

const chosen = process.argv.slice(2);
const unknown = chosen.filter(name => !suites[name]);
if (unknown.length) throw new Error(`no such suite: ${unknown}; there are ${Object.keys(suites)}`);
if (!existsSync(process.env.HOPYARD)) throw new Error(`${process.env.HOPYARD} is not there; run make build`);

await sow();

// Two lanes of about the same length.
const lanes = [['browser', 'services'], ['badday', 'python', 'cli']].map(names => names.filter(name => !chosen.length || chosen.includes(name)));
const results = (await Promise.all(lanes.map(lane))).flat();
for (const { name, ok, output } of results) if (!ok) console.log(`--- ${name} failed:\n${output}`);
for (const result of results) console.log(summary(result));
process.exitCode = results.every(r => r.ok) ? 0 : 1;

async function lane(names) {
  const done = [];
  for (const name of names) {
    const before = Date.now();
    const { ok, output } = await suites[name]().catch(e => ({ ok: false, output: String(e.stack) }));
    done.push({ name, ok, output, seconds: Math.round((Date.now() - before) / 1000) });
    console.error(summary(done.at(-1)));
  }
  return done;
}

// summary counts what node, pytest and go each say in their own way.
function summary({ name, ok, output, seconds }) {
  const passed = output.match(/^(?:# pass|ℹ pass) (\d+)/m)?.[1] ?? output.match(/(\d+) passed/)?.[1] ?? output.match(/^--- PASS/gm)?.length ?? 0;
  return `e2e ${name}: ${ok ? 'passed' : 'FAILED'}, ${passed} tests passed, ${seconds} s`;
}

// run gives what a program said, and whether it was content.
function run(program, args, options = {}) {
  return new Promise((done, failed) => {
    const child = spawn(program, args, { cwd: here, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', text => { output += text; });
    child.on('error', failed);
    child.on('close', code => done({ ok: code === 0, output }));
  });
}

// sow makes what tests of environments begin with, once: the server of the test channel, and packages of the channel that are
// unpacked and compiled. Those that tests watch being fetched are compiled only.
async function sow() {
  const bin = mkdtempSync(join(tmpdir(), 'hopyard-e2e-bin-'));
  process.once('exit', () => rmSync(bin, { recursive: true, force: true }));
  process.env.HOPYARD_TESTCHANNEL = join(bin, 'testchannel');
  await must('go', ['build', '-o', process.env.HOPYARD_TESTCHANNEL, './internal/testchannel/cmd/testchannel'], { cwd: top });
  const folders = await must(process.env.HOPYARD_TESTCHANNEL, []);
  const made = join(seed, 'made');
  if (existsSync(made) && readFileSync(made, 'utf8') === folders) return;
  console.error('e2e: preparing packages');
  rmSync(seed, { recursive: true, force: true });
  mkdirSync(seed, { recursive: true });
  const folder = mkdtempSync(join(seed, 'new-')); // on the same disk, for the links
  const channel = await Channel.start();
  const starter = join(folder, 'environment.yml');
  const config = join(folder, 'config.yaml');
  writeFileSync(starter, `dependencies: [${seedPackages}]\n`);
  writeFileSync(config, JSON.stringify({ prepared: own(join(folder, 'prepared')), environments: { ...channel.environments, kind: 'conda', starter } }));
  await must(process.env.HOPYARD, ['prepare', '--data', folder, '--config', config]);
  await channel.close();
  for (const part of seeded) renameSync(join(folder, 'prepared/envs', part), join(seed, part));
  const packages = join(seed, 'pkgs/public');
  for (const name of readdirSync(packages)) {
    if (name === '.cache.lock' || watched.some(w => name.startsWith(w))) clear(join(packages, name));
  }
  clear(folder);
  writeFileSync(made, folders);
}

// must is run for what has to succeed; it gives what was said.
async function must(program, args, options) {
  const { ok, output } = await run(program, args, options);
  if (!ok) throw new Error(`${program} ${args.join(' ')}:\n${output}`);
  return output;
}

// clients gives the Python of a virtual environment with the clients in it, which is made once.
async function clients() {
  const requirements = join(here, 'clients/python/requirements.txt');
  const version = await run('python3', ['--version']);
  const key = createHash('sha256').update(readFileSync(requirements)).update(version.output).digest('hex').slice(0, 12);
  const folder = join(cache, 'clients', key);
  const python = join(folder, 'bin/python');
  const made = join(folder, 'made');
  if (existsSync(made)) return python;
  console.error('e2e: installing the Python clients');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(cache, 'clients'), { recursive: true });
  await must('python3', ['-m', 'venv', folder]);
  await must(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes', '-r', requirements]);
  writeFileSync(made, '');
  return python;
}
