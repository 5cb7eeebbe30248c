// A real Chromium, and pages that remember what went wrong in them.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';

export const out = resolve(import.meta.dirname, '../out');
mkdirSync(out, { recursive: true });

const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium', headless: true, args: flags,
});

// What pages may complain of, each with its reason. All else fails the scene.
const excused = [
  // Chromium's own words, not the page's: software rendering, where there is no GPU.
  /GL Driver Message|GroupMarkerNotSet|WebGL/i,
  // JupyterLab asks the debugger of each kernel for its state, and says so when the kernel is restarted before it has answered.
  /Could not restore the debugger state: Canceled future/,
];

// While the gateway is dead on purpose, pages must complain.
export const away = new RegExp('ERR_(CONNECTION_|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|CONTENT_LENGTH_MISMATCH|SOCKET_NOT_CONNECTED)' +
  '|WebSocket connection|Failed to fetch|NetworkError');

// open gives a page of a new browser, logged out, whose errors and those of the pages that it opens are collected. Its `calm`
// asserts that there were none.
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(120_000);
  const errors = [];
  const allowed = [...excused];
  const note = text => { if (!allowed.some(x => x.test(text))) errors.push(text); };
  context.on('console', m => { if (m.type() === 'error') note(`${m.text()} (${m.location().url})`); });
  context.on('weberror', e => note(String(e.error().stack || e.error())));
  context.on('page', listen);
  const page = await context.newPage();
  page.calm = () => assert.deepEqual(errors, [], 'the page complained');
  page.expect = (...more) => allowed.push(...more);
  return page;
}

// listen notes the websockets of kernels that a page opens, and on which of them a kernel has answered. It does so from the page's
// first moment: who asks for the next one may have missed it, and some break before anybody answers.
function listen(page) {
  page.kernels = [];
  page.on('websocket', socket => {
    if (!/\/channels/.test(socket.url())) return;
    const kernel = { answered: false };
    page.kernels.push(kernel);
    socket.on('framereceived', frame => { kernel.answered ||= frame.payload.includes('kernel_info_reply'); });
  });
}

// shot keeps a picture.
export const shot = (page, name) => page.screenshot({ path: join(out, name.replace(/\W+/g, '-') + '.png') });

// steps gives a function like t.test for parts that go on where the one before ended. After one that failed the rest would only
// time out, so they are skipped. A failure leaves a picture.
export function steps(t, page) {
  let failed;
  return (name, part) => t.test(name, async s => {
    if (failed) return s.skip(`after "${failed}" failed`);
    try {
      await part(s);
    } catch (e) {
      failed = name;
      await shot(page(), 'failed ' + name).catch(() => {});
      throw e;
    }
  });
}
