// A real conda channel and package index on a loopback address, with faults where a scene wants them: internal/testchannel.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const top = resolve(import.meta.dirname, '../..');

export class Channel {
  #child;

  // start serves the channel. The first one on a machine makes it, which takes a minute.
  static async start() {
    const channel = new Channel();
    const log = [];
    channel.#child = spawn(program(), ['-serve', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] });
    createInterface(channel.#child.stderr).on('line', line => log.push(line));
    channel.url = await new Promise((said, failed) => {
      createInterface(channel.#child.stdout).once('line', said);
      channel.#child.once('exit', code => failed(new Error(`the channel ended with ${code}:\n${log.join('\n')}`)));
    });
    return channel;
  }

  // The configuration of a gateway that takes everything from here, in place of what it would ask otherwise.
  get environments() {
    return { channel_urls: { 'conda-forge': this.url + '/channel' }, index: this.url + '/simple/' };
  }

  // faults replaces what the channel does wrong: testchannel.Faults. {} serves well.
  async faults(faults) {
    const answer = await fetch(this.url + '/_faults', { method: 'POST', body: JSON.stringify(faults) });
    if (!answer.ok) throw new Error(`faults: ${answer.status} ${await answer.text()}`);
  }

  async close() {
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await gone;
  }
}

let built;

// program gives the server's binary, which run.mjs has built for all.
function program() {
  if (process.env.HOPYARD_TESTCHANNEL) return process.env.HOPYARD_TESTCHANNEL;
  if (!built) {
    const folder = mkdtempSync(join(tmpdir(), 'hopyard-testchannel-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    built = join(folder, 'testchannel');
    execFileSync('go', ['build', '-o', built, './internal/testchannel/cmd/testchannel'], { cwd: top });
  }
  return built;
}
