// Kernels and kernelspecs: their REST API, both framings, and what kernels say.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../lib/until.mjs';
import { WebSocket, connect, execute, refused, services } from '../../lib/services.mjs';

let gateway, serverSettings, raw, kernels, kernel;

before(async () => {
  ({ gateway, serverSettings, raw } = await connect());
  kernels = new services.KernelManager({ serverSettings });
  kernel = await kernels.startNew();
  await kernel.info;
});
after(async () => {
  kernels?.dispose();
  await gateway?.close();
});

test('kernelspecs: the default is listed and valid, unknown ones are 404, resources can be had', async () => {
  const specs = new services.KernelSpecManager({ serverSettings });
  await specs.ready;
  const spec = specs.specs.kernelspecs[specs.specs.default];
  assert.ok(spec.argv.length > 0);
  assert.equal(spec.language, 'python');
  assert.equal((await raw('GET', '/api/kernelspecs/' + spec.name)).status, 200);
  assert.equal((await raw('GET', '/api/kernelspecs/no-such')).status, 404);
  const resources = Object.values(spec.resources);
  assert.ok(resources.length > 0);
  for (const address of resources) {
    const answer = await fetch(new URL(address, gateway.url), { headers: { Authorization: 'token ' + gateway.token } });
    assert.equal(answer.status, 200, address);
  }
  specs.dispose();
});

test('the v1 subprotocol is agreed on', () => {
  assert.equal(kernel._selectedProtocol, 'v1.kernel.websocket.jupyter.org');
});

test('a cell is busy first and idle last, with its result between', async () => {
  const { reply, messages, of } = await execute(kernel, '1 + 1');
  assert.equal(reply.status, 'ok');
  assert.equal(messages[0].content.execution_state, 'busy');
  assert.equal(messages.at(-1).content.execution_state, 'idle');
  assert.equal(of('execute_input').length, 1);
  assert.equal(of('execute_result')[0].data['text/plain'], '2');
});

test('20,000 flushed lines arrive whole and in order', { timeout: 300_000 }, async () => {
  const { text } = await execute(kernel, 'for i in range(20000): print(i, flush=True)');
  assert.ok(text === Array.from({ length: 20_000 }, (_, i) => i + '\n').join(''), `${text.split('\n').length - 1} lines`);
});

test('standard error is a stream of its own name', async () => {
  const { of } = await execute(kernel, "import sys; print('e', file=sys.stderr)");
  assert.deepEqual(of('stream'), [{ name: 'stderr', text: 'e\n' }]);
});

test('an error has a name and a traceback, and aborts what waits behind it', async () => {
  // It fails when the other one waits, which a subshell tells it: its message comes behind the other one's on the same channel.
  const { content: { subshell_id: id } } = await kernel.requestCreateSubshell({}).done;
  await execute(kernel, 'import threading; gate = threading.Event()');
  const failing = kernel.requestExecute({ code: 'gate.wait(); 1/0', stop_on_error: true });
  const waiting = kernel.requestExecute({ code: '2' });
  kernel.subshellId = id;
  kernel.requestExecute({ code: 'gate.set()' });
  kernel.subshellId = null;
  const { content } = await failing.done;
  assert.equal(content.ename, 'ZeroDivisionError');
  assert.ok(content.traceback.length > 0);
  assert.equal((await waiting.done).content.status, 'aborted');
  await kernel.requestDeleteSubshell({ subshell_id: id }).done;
  await until('cells run again', async () => (await execute(kernel, '1')).reply.status === 'ok');
});

test('a display is updated in place', async () => {
  const { of } = await execute(kernel, "from IPython.display import display\nh = display('a', display_id='d')\nh.update('b')");
  assert.equal(of('display_data')[0].transient.display_id, 'd');
  assert.equal(of('update_display_data')[0].transient.display_id, 'd');
});

test('expressions are answered, and silent cells do not count', async () => {
  const { reply } = await execute(kernel, 'x = 5', { options: { user_expressions: { y: 'x * 2' } } });
  assert.equal(reply.user_expressions.y.data['text/plain'], '10');
  await execute(kernel, '1', { options: { silent: true, store_history: false } });
  assert.equal((await execute(kernel, '1')).reply.execution_count, reply.execution_count + 1);
});

test('input is asked for and answered', async () => {
  const onStdin = ({ header, content }) => {
    assert.equal(content.prompt, 'who? ');
    kernel.sendInputReply({ status: 'ok', value: 'me' }, header);
  };
  const { text } = await execute(kernel, "print('got ' + input('who? '))", { onStdin });
  assert.match(text, /got me/);
});

test('complete, inspect, is_complete, history and comm_info are answered', { timeout: 300_000 }, async () => {
  assert.ok((await kernel.requestComplete({ code: 'impor', cursor_pos: 5 })).content.matches.includes('import'));
  assert.equal((await kernel.requestInspect({ code: 'print', cursor_pos: 5, detail_level: 0 })).content.found, true);
  assert.equal((await kernel.requestIsComplete({ code: 'for i in x:' })).content.status, 'incomplete');
  assert.ok((await kernel.requestHistory({ output: false, raw: true, hist_access_type: 'tail', n: 3 })).content.history.length > 0);
  assert.equal((await kernel.requestCommInfo({})).content.status, 'ok');
});

test('5 MB arrive in one display, and any character unharmed', { timeout: 300_000 }, async () => {
  const { of } = await execute(kernel, "display('x' * 5_000_000)");
  assert.ok(of('display_data')[0].data['text/plain'].length >= 5_000_000);
  assert.equal((await execute(kernel, "print('\\u00e9\\U0001F600\\x00z')")).text, 'é😀\0z\n');
});

test('comms carry binary buffers both ways', async () => {
  await execute(kernel, echoTarget);
  const comm = kernel.createComm('reverse');
  const answered = new Promise(answered => { comm.onMsg = answered; });
  await comm.open({}).done;
  comm.send({}, {}, [new Uint8Array([1, 2, 3, 255]).buffer]);
  const { content, buffers } = await answered;
  assert.equal(content.data.length, 4);
  const [buffer] = buffers;
  assert.deepEqual([...new Uint8Array(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, 4)], [255, 3, 2, 1]);
  comm.close();
});

test('the kernel opens a comm here', async () => {
  const opened = new Promise(opened => kernel.registerCommTarget('here', (_, m) => opened(m.content.data)));
  kernel.requestExecute({ code: "from comm import create_comm\ncreate_comm(target_name='here', data={'a': 1})" });
  assert.deepEqual(await opened, { a: 1 });
});

test('the debugger answers on the control channel', async () => {
  const asked = kernel.requestDebug({ type: 'request', seq: 1, command: 'debugInfo' });
  assert.equal((await asked.done).content.body.isStarted, false);
});

test('a subshell runs while the main shell is busy', { timeout: 300_000 }, async () => {
  const { content: { subshell_id: id } } = await kernel.requestCreateSubshell({}).done;
  assert.ok((await kernel.requestListSubshell({}).done).content.subshell_id.includes(id));
  await execute(kernel, 'import threading; gate = threading.Event()');
  const main = kernel.requestExecute({ code: 'gate.wait()' }).done; // for what the subshell does
  const side = kernel.clone({ handleComms: false });
  side.subshellId = id;
  await execute(side, 'gate.set()');
  assert.equal((await main).content.status, 'ok');
  side.dispose();
  await kernel.requestDeleteSubshell({ subshell_id: id }).done;
});

test('interrupt stops a loop', async () => {
  // A kernel that is busy, but not yet in the cell's own code, ignores the interrupt.
  const future = kernel.requestExecute({ code: "print('in the cell', flush=True)\nwhile True: pass" });
  await new Promise(running => { future.onIOPub = m => m.header.msg_type === 'stream' && running(); });
  await kernel.interrupt();
  assert.equal((await future.done).content.ename, 'KeyboardInterrupt');
});

test('two connections see one kernel', async () => {
  const second = kernels.connectTo({ model: { id: kernel.id, name: kernel.name } });
  await second.info;
  let seen = '';
  second.anyMessage.connect((_, { direction, msg }) => { if (direction === 'recv' && msg.header.msg_type === 'stream') seen += msg.content.text; });
  await execute(kernel, "print('for both')");
  await until('the second sees it', () => seen.includes('for both'));
  await until('both are counted', async () => (await raw('GET', '/api/kernels/' + kernel.id)).json.connections === 2);
  second.dispose();
  await until('one is left', async () => (await raw('GET', '/api/kernels/' + kernel.id)).json.connections === 1);
});

test('a connection that is cut gets what it missed', { timeout: 300_000 }, async () => {
  const future = kernel.requestExecute({ code: "import time\nfor i in range(30):\n  print('tick', i, flush=True)\n  time.sleep(.05)" });
  let text = '';
  future.onIOPub = m => { if (m.header.msg_type === 'stream') text += m.content.text; };
  await until('some ticks', () => text.includes('tick 3'));
  kernel._ws.close(4000);
  await future.done;
  assert.equal(text, Array.from({ length: 30 }, (_, i) => `tick ${i}\n`).join(''));
});

test('restart keeps the id and forgets the names', { timeout: 300_000 }, async () => {
  const { id } = kernel;
  await execute(kernel, 'remembered = 1');
  await kernel.restart();
  await kernel.info;
  assert.equal(kernel.id, id);
  assert.equal((await execute(kernel, 'remembered')).reply.ename, 'NameError');
});

test('a kernel that crashes is started again', { timeout: 300_000 }, async () => {
  const states = [];
  kernel.statusChanged.connect((_, state) => states.push(state));
  kernel.requestExecute({ code: 'import os; os._exit(1)' });
  await until('it restarts', () => states.includes('autorestarting') || states.includes('restarting'));
  await until('it is idle', () => kernel.status === 'idle');
  assert.equal((await execute(kernel, '2 + 2')).reply.status, 'ok');
});

test('unknown kernels are 404, unknown kernelspecs refused', async () => {
  const unknown = '00000000-0000-0000-0000-000000000000';
  assert.equal(await kernels.findById(unknown), undefined);
  assert.equal((await raw('GET', '/api/kernels/' + unknown)).status, 404);
  await refused(kernels.startNew({ name: 'no-such-kernel' }));
});

test('POST is 201 with a Location, DELETE is 204 and then 404; a path is where the kernel works', { timeout: 300_000 }, async () => {
  await raw('PUT', '/api/contents/below', { type: 'directory' });
  const { status, headers, json } = await raw('POST', '/api/kernels', { path: 'below' });
  assert.equal(status, 201);
  assert.ok(headers.get('location').endsWith('/api/kernels/' + json.id));
  const other = kernels.connectTo({ model: json });
  await other.info;
  assert.match((await execute(other, 'import os; print(os.getcwd())')).text, /\/below\n$/);
  other.dispose();
  assert.equal((await raw('DELETE', '/api/kernels/' + json.id)).status, 204);
  assert.equal((await raw('DELETE', '/api/kernels/' + json.id)).status, 404);
});

test('the framing without a subprotocol speaks text frames', async () => {
  const socket = new WebSocket(`${serverSettings.wsUrl}api/kernels/${kernel.id}/channels?session_id=plain&token=${gateway.token}`);
  await new Promise((opened, failed) => { socket.onopen = opened; socket.onerror = failed; });
  assert.equal(socket.protocol, '');
  const header = { msg_id: 'one', msg_type: 'execute_request', username: 'x', session: 'plain', date: new Date().toISOString(), version: '5.3' };
  const content = { code: '1', silent: false, store_history: true, user_expressions: {}, allow_stdin: false };
  const replied = new Promise((replied, failed) => socket.on('message', (data, binary) => {
    if (binary) failed(new Error('a binary frame'));
    const m = JSON.parse(data);
    if (m.parent_header.msg_id === 'one' && m.header.msg_type === 'execute_reply') replied(m);
  }));
  socket.send(JSON.stringify({ channel: 'shell', header, parent_header: {}, metadata: {}, content, buffers: [] }));
  const reply = await replied;
  socket.close();
  assert.equal(reply.channel, 'shell');
  assert.equal(reply.msg_type, 'execute_reply');
  assert.equal(reply.msg_id, reply.header.msg_id);
});

test('a websocket needs a token, or a cookie and a page of ours', async () => {
  const address = `${serverSettings.wsUrl}api/kernels/${kernel.id}/channels`;
  const statusOf = headers => new Promise(status => {
    const socket = new WebSocket(address, { headers });
    socket.on('unexpected-response', (_, answer) => status(answer.statusCode));
    socket.on('open', () => { socket.close(); status('open'); });
    socket.on('error', () => {});
  });
  const login = await fetch(gateway.login, { redirect: 'manual' });
  const Cookie = login.headers.getSetCookie().map(c => c.split(';')[0]).join('; ');
  assert.equal(await statusOf({}), 403);
  assert.equal(await statusOf({ Cookie, Origin: 'http://elsewhere.example' }), 403);
  assert.equal(await statusOf({ Cookie, Origin: gateway.url }), 'open');
});

test('shutdown ends one, shutdownAll all', { timeout: 300_000 }, async () => {
  await kernels.refreshRunning();
  assert.ok([...kernels.running()].some(m => m.id === kernel.id));
  await kernel.shutdown();
  await kernels.startNew();
  await kernels.shutdownAll();
  await kernels.refreshRunning();
  assert.deepEqual([...kernels.running()], []);
});

const echoTarget = `
from comm import get_comm_manager
def opened(comm, message):
    @comm.on_msg
    def _(m): comm.send({'length': len(m['buffers'][0])}, buffers=[bytes(m['buffers'][0])[::-1]])
get_comm_manager().register_target('reverse', opened)`;
