// The published @jupyterlab/services, with which JupyterLab, Notebook 7 and VS Code speak, against a gateway of its own.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { Gateway } from './gateway.mjs';

const require = createRequire(import.meta.url);

export const services = require('@jupyterlab/services');
export const WebSocket = require('ws');
const { PageConfig } = require('@jupyterlab/coreutils');

// The library knows Node, but not everywhere: it keeps a user's colour in a page's storage, and leaves promises of connections
// behind that were closed under it. It looks for a window when it is loaded, so this comes after.
const stored = new Map();
globalThis.window ??= { localStorage: { getItem: key => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value) } };
process.on('unhandledRejection', () => {});
console.debug = console.warn = console.error = () => {};

// connect starts a gateway and gives it with what the library's managers are made from.
export async function connect() {
  const gateway = await Gateway.start();
  const base = gateway.jupyter + '/';
  PageConfig.setOption('baseUrl', base);
  PageConfig.setOption('terminalsAvailable', 'true');
  const serverSettings = services.ServerConnection.makeSettings({
    baseUrl: base, wsUrl: base.replace(/^http/, 'ws'), token: gateway.token, appendToken: true, appUrl: 'lab',
    WebSocket, init: { cache: 'no-store' },
  });
  return { gateway, serverSettings, raw: rawOf(gateway) };
}

// rawOf gives a function that asks as no library does, to see statuses, headers and wrong requests' answers.
function rawOf(gateway) {
  return async (method, path, body, headers = {}) => {
    const answer = await fetch(gateway.jupyter + path, {
      method, redirect: 'manual',
      headers: { Authorization: 'token ' + gateway.token, 'Content-Type': 'application/json', ...headers },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await answer.text();
    let json;
    try { json = JSON.parse(text); } catch { /* not every answer is JSON */ }
    return { status: answer.status, headers: answer.headers, text, json };
  };
}

// refused asserts that the library was answered with the status.
export async function refused(asked, status) {
  await assert.rejects(asked, e => {
    if (status !== undefined) assert.equal(e.response?.status, status);
    return true;
  });
}

// execute runs code and gives its reply, its messages and its printed text.
export async function execute(kernel, code, { options, onStdin } = {}) {
  const future = kernel.requestExecute({ code, allow_stdin: onStdin !== undefined, ...options }, true);
  const messages = [];
  future.onIOPub = m => messages.push(m);
  future.onStdin = m => onStdin?.(m);
  const { content: reply } = await future.done;
  const of = type => messages.filter(m => m.header.msg_type === type).map(m => m.content);
  return { reply, messages, of, text: of('stream').map(c => c.text).join('') };
}
