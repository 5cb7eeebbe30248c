// Terminals.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../lib/until.mjs';
import { connect, services } from '../../lib/services.mjs';

let gateway, raw, terminals, terminal;

before(async () => {
  let serverSettings;
  ({ gateway, serverSettings, raw } = await connect());
  terminals = new services.TerminalManager({ serverSettings });
  terminal = await terminals.startNew();
});
after(async () => {
  terminals?.dispose();
  await gateway?.close();
});

// screenOf collects what a connection is told to draw.
function screenOf(connection) {
  const screen = { text: '' };
  connection.messageReceived.connect((_, m) => { if (m.type === 'stdout') screen.text += m.content[0]; });
  return screen;
}

test('a shell answers, at the size that it was given', async () => {
  const screen = screenOf(terminal);
  await until('it is connected', () => terminal.connectionStatus === 'connected');
  terminal.send({ type: 'set_size', content: [40, 120, 0, 0] });
  terminal.send({ type: 'stdin', content: ['echo ter$((40+2))minal; stty size\r'] });
  await until('the echo', () => screen.text.includes('ter42minal'));
  await until('the size', () => screen.text.includes('40 120'));
});

test('who comes later sees the screen', async () => {
  const second = terminals.connectTo({ model: { name: terminal.name } });
  const screen = screenOf(second);
  await until('what was there before', () => screen.text.includes('ter42minal'));
  second.dispose();
});

test('it is listed, and gone when it is shut down', async () => {
  await terminals.refreshRunning();
  assert.ok([...terminals.running()].some(t => t.name === terminal.name));
  await terminal.shutdown();
  assert.equal((await raw('GET', '/api/terminals/' + terminal.name)).status, 404);
});
