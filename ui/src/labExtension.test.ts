// The lab extension of ours (ui/lab/extension), in a page that the test plays: Lab's modules, the gateway and its stream of changes.

import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";

const source = readFileSync(new URL("../lab/extension/static/remoteEntry.js", import.meta.url), "utf8");

/** A signal of Lab's. */
class Signal<T> {
  private readonly slots: ((sender: unknown, value: T) => void)[] = [];
  connect(slot: (sender: unknown, value: T) => void): void {
    this.slots.push(slot);
  }
  emit(value: T): void {
    for (const slot of this.slots) slot(undefined, value);
  }
}

/** A gateway that answers when the test says so. */
class Gateway {
  private readonly waiting: ((build: number) => void)[] = [];
  asked = 0;

  readonly fetch = (path: string): Promise<{ ok: boolean; json: () => unknown }> => {
    const say = (value: unknown) => ({ ok: true, json: () => value });
    if (path.includes("/workloads/")) return Promise.resolve(say({ environment: { name: "python", build: 1, id: "one" } }));
    this.asked++;
    return new Promise((answer) => {
      this.waiting.push((build) => answer(say({ active: { build, id: build === 1 ? "one" : "two" } })));
    });
  };

  /** Answers what was asked so many questions ago: 0 is the oldest that waits. */
  async answer(n: number, build: number): Promise<void> {
    this.waiting.splice(n, 1)[0]?.(build);
    await settled();
  }
}

const settled = () => new Promise((done) => setTimeout(done));

/** A page with one notebook, whose kernel runs on build 1. */
async function notebook() {
  const gateway = new Gateway();
  const stream = new EventTarget();
  const items: { label: string }[] = [];
  const sessionContext = {
    session: { kernel: { id: "kernel" } },
    kernelChanged: new Signal<void>(),
    statusChanged: new Signal<string>(),
    ready: Promise.resolve(),
  };
  const toolbar = { insertBefore: (_at: string, _name: string, item: { label: string }) => items.push(item), addItem: () => undefined };
  const panel = { sessionContext, toolbar, isDisposed: false, disposed: new Signal<void>(), content: {}, context: { model: {} } };
  class ToolbarButton {
    label: string;
    constructor(options: { label: string }) {
      this.label = options.label;
    }
    addClass(): void {}
    dispose(): void {
      items.splice(items.indexOf(this), 1);
    }
  }
  const module = (exports: unknown) => ({ "1": { get: () => Promise.resolve(() => exports) } });
  const page: { _JUPYTERLAB?: Record<string, { init(scope: unknown): void; get(name: string): Promise<() => { default: Plugin }> }> } = {};
  function EventSource() {
    return stream;
  }
  new Function("window", "location", "fetch", "EventSource", source)(page, new URL("http://gateway/p/demo/jupyter/lab"), gateway.fetch, EventSource);
  const container = page._JUPYTERLAB?.["@hopyard/environment"];
  container?.init({
    "@jupyterlab/notebook": module({ INotebookTracker: {}, NotebookActions: { executed: new Signal() } }),
    "@jupyterlab/apputils": module({ ToolbarButton }),
    "@jupyterlab/coreutils": module({ PageConfig: { getBaseUrl: () => "http://gateway/p/demo/jupyter/" } }),
  });
  const plugin = (await container!.get("./extension"))().default;
  const refreshSpecs = vi.fn();
  plugin.activate(
    { commands: {}, serviceManager: { kernelspecs: { refreshSpecs } } },
    { forEach: (watch: (p: unknown) => void) => watch(panel), widgetAdded: new Signal() },
  );
  await settled();
  return { gateway, stream, sessionContext, refreshSpecs, notices: () => items.map((item) => item.label) };
}

interface Plugin {
  activate(app: unknown, notebooks: unknown): void;
}

const change = () => Object.assign(new Event("change"), { data: '{"kind":"environments"}' });
const stale = ["build 1 in use, 2 active: restart to use"];

describe("the notice of a notebook", () => {
  it("says what the last look has seen, whichever answer comes first", async () => {
    const { gateway, stream, notices } = await notebook();
    stream.dispatchEvent(change());
    await settled();
    await gateway.answer(1, 2);
    expect(notices()).toEqual(stale);
    await gateway.answer(0, 1); // it was asked before the change, and is late
    expect(notices()).toEqual(stale);
  });

  it("does not miss what changed before the stream of changes was open", async () => {
    const { gateway, stream, refreshSpecs, notices } = await notebook();
    await gateway.answer(0, 1);
    expect(notices()).toEqual([]);
    stream.dispatchEvent(new Event("open"));
    await settled();
    await gateway.answer(0, 2);
    expect(notices()).toEqual(stale);
    expect(refreshSpecs).toHaveBeenCalledOnce();
  });

  it.each(["restarting", "autorestarting"])("looks again when a kernel has been %s", async (status) => {
    const { gateway, sessionContext, notices } = await notebook();
    await gateway.answer(0, 2);
    expect(notices()).toEqual(stale);
    sessionContext.statusChanged.emit(status);
    sessionContext.statusChanged.emit("idle");
    await settled();
    await gateway.answer(0, 1);
    expect(notices()).toEqual([]);
  });
});
