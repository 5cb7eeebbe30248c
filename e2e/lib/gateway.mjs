// A gateway of its own for a test: the real binary on an address of its own and an empty data directory.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { clear, own, prepared } from './own.mjs';

const top = resolve(import.meta.dirname, '../..');
const binary = process.env.HOPYARD || join(top, 'bin/hopyard');
const readyWithin = 300_000;

// freeAddress gives one whose port is below those that the system gives away, so that nobody takes it while its gateway is dead.
async function freeAddress() {
  for (;;) {
    const server = createServer();
    server.listen(20000 + Math.floor(Math.random() * 12000), '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if (error.code === 'EADDRINUSE') continue;
      throw error;
    }
    const { address, port } = server.address();
    server.close();
    await once(server, 'close');
    return `${address}:${port}`;
  }
}

export class Gateway {
  #data;
  #child;
  #log = [];

  // start makes a data directory and serves it. The project "demo" is there. All gateways share an environment, its tools and Lab's
  // pages, which the first start makes where they are missing; one that is told of environments (the part of the configuration) has
  // environments of its own.
  static async start({ environments } = {}) {
    const gateway = new Gateway();
    gateway.#data = await mkdtemp(join(tmpdir(), 'hopyard-e2e-'));
    const config = environments ? { prepared: own(join(gateway.#data, 'prepared')), environments } : { prepared };
    await writeFile(join(gateway.#data, 'config.yaml'), JSON.stringify(config)); // JSON is YAML
    await gateway.serve();
    gateway.token = (await readFile(join(gateway.#data, 'bootstrap/admin.token'), 'utf8')).trim();
    return gateway;
  }

  // serve starts the gateway (again) and waits until it says that it is ready. From the second start on it takes the port that it
  // had: browsers must find it where it was.
  async serve() {
    const listen = this.url ? new URL(this.url).host : await freeAddress();
    const args = ['serve', '--data', this.#data, '--listen', listen, '--demo', '--config', join(this.#data, 'config.yaml')];
    this.#child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    createInterface(this.#child.stderr).on('line', line => this.#log.push(line));
    const lines = createInterface(this.#child.stdout);
    const said = new Promise((said, failed) => {
      lines.on('line', line => {
        const [word, address] = line.split(' ');
        if (word === 'ready') this.url = address.replace(/\/$/, '');
        if (word === 'login') said(address);
      });
      this.#child.once('exit', code => failed(new Error(`hopyard serve ended with ${code}:\n${this.log}`)));
      setTimeout(() => failed(new Error(`hopyard serve is not ready:\n${this.log}`)), readyWithin).unref();
    });
    this.login = await said;
  }

  get pid() { return this.#child.pid; }
  get data() { return this.#data; }
  get jupyter() { return this.url + '/p/demo/jupyter'; }
  get log() { return this.#log.join('\n'); }

  // kill ends the gateway as a power cut would.
  async kill() {
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  // ask calls the console's API as the admin.
  async ask(method, path, body) {
    const answer = await fetch(this.url + path, {
      method,
      headers: { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  // close ends the gateway and all that runs in it, and removes the data.
  async close() {
    const stop = spawn(binary, ['stop', '--data', this.#data], { stdio: 'ignore' });
    await once(stop, 'exit');
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await gone;
    }
    clear(this.#data);
  }
}
