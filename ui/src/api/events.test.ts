import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EventParser, EventStream, hearChanges, retryDelay, type StreamState } from "./events";
import type { Change } from "./types";

describe("EventParser", () => {
  it("gives the same events however the bytes are cut", () => {
    const text = 'id: 7\nevent: change\ndata: {"kind":\ndata: "users"}\n\n: ping\n\nevent: resync\ndata:\n\nid: 8\n';
    const whole = new EventParser().push(text);
    expect(whole).toEqual([
      { id: "7", event: "change", data: '{"kind":\n"users"}' },
      { id: "", event: "", data: "" },
      { id: "", event: "resync", data: "" },
    ]);
    const parser = new EventParser();
    expect([...text].flatMap((letter) => parser.push(letter))).toEqual(whole);
  });

  it("reads lines that end in CR LF", () => {
    expect(new EventParser().push("event: change\r\ndata: 1\r\n\r\n")).toEqual([{ id: "", event: "change", data: "1" }]);
  });
});

describe("retryDelay", () => {
  it("grows to a bound and is spread", () => {
    expect(retryDelay(0, 0)).toBe(250);
    expect(retryDelay(0, 1)).toBe(500);
    expect(retryDelay(3, 1)).toBe(4000);
    expect(retryDelay(99, 1)).toBe(15000);
  });
});

/** A gateway whose streams the test writes to. */
class Gateway {
  requests: Headers[] = [];
  status = 200;
  down = false;
  private open: ReadableStreamDefaultController<Uint8Array> | undefined;

  readonly fetch = (_path: string, init: RequestInit): Promise<Response> => {
    this.requests.push(new Headers(init.headers));
    if (this.down) return Promise.reject(new TypeError("refused"));
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.open = controller;
        init.signal?.addEventListener("abort", () => controller.error(new DOMException("aborted", "AbortError")));
      },
    });
    return Promise.resolve(new Response(this.status === 204 ? null : body, { status: this.status }));
  };

  say(text: string) {
    this.open?.enqueue(new TextEncoder().encode(text));
  }

  hangUp() {
    this.open?.close();
  }
}

describe("EventStream", () => {
  let gateway: Gateway;
  let heard: string[];
  let stream: EventStream;

  const settle = () => vi.advanceTimersByTimeAsync(0);

  beforeEach(() => {
    vi.useFakeTimers();
    gateway = new Gateway();
    heard = [];
    stream = new EventStream(
      hearChanges({
        change: (change: Change) => heard.push(`change ${change.kind}`),
        resync: () => heard.push("resync"),
        state: (state: StreamState) => heard.push(state.kind),
      }),
      "/events",
      { fetch: gateway.fetch, now: () => Date.now(), random: () => 1, unauthenticated: () => heard.push("log in") },
    );
  });

  afterEach(() => {
    stream.pause();
    vi.useRealTimers();
  });

  it("tells what changes, after saying that what was read before may be old", async () => {
    stream.start();
    await settle();
    gateway.say('id: 1\nevent: change\ndata: {"kind":"users"}\n\n');
    gateway.say(": ping\n\nevent: resync\ndata: {}\n\n");
    await settle();
    expect(heard).toEqual(["connecting", "live", "resync", "change users", "resync"]);
  });

  it("comes back from where it was when the gateway hangs up", async () => {
    stream.start();
    await settle();
    gateway.say('id: 41\nevent: change\ndata: {"kind":"tokens"}\n\n');
    await settle();
    gateway.hangUp();
    await settle();
    expect(heard.at(-1)).toBe("lost");
    await vi.advanceTimersByTimeAsync(500);
    expect(gateway.requests.map((headers) => headers.get("Last-Event-ID"))).toEqual([null, "41"]);
    expect(heard.slice(-2)).toEqual(["live", "resync"]);
  });

  it("waits longer each time that the gateway is not there, and tries at once when told to", async () => {
    gateway.down = true;
    stream.start();
    await vi.advanceTimersByTimeAsync(500 + 1000 + 2000);
    expect(gateway.requests).toHaveLength(4);
    await vi.advanceTimersByTimeAsync(3999);
    expect(gateway.requests).toHaveLength(4);
    gateway.down = false;
    stream.start();
    await settle();
    expect(heard.slice(-2)).toEqual(["live", "resync"]);
  });

  it("does not come back faster because a stream opened and broke at once", async () => {
    stream.start();
    for (const wait of [500, 1000, 2000]) {
      await settle();
      gateway.hangUp();
      await vi.advanceTimersByTimeAsync(wait - 1);
      const before = gateway.requests.length;
      await vi.advanceTimersByTimeAsync(1);
      expect(gateway.requests).toHaveLength(before + 1);
    }
  });

  it("opens anew when not even a ping came for forty seconds", async () => {
    stream.start();
    await vi.advanceTimersByTimeAsync(30_000);
    gateway.say(": ping\n\n");
    await vi.advanceTimersByTimeAsync(39_000);
    expect(gateway.requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(gateway.requests).toHaveLength(2);
    expect(heard.slice(-2)).toEqual(["live", "resync"]);
  });

  it("keeps quiet while it is paused", async () => {
    stream.start();
    await settle();
    stream.pause();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(gateway.requests).toHaveLength(1);
    expect(heard.at(-1)).toBe("paused");
  });

  it("does not come again when nothing will follow", async () => {
    stream.start();
    await settle();
    gateway.status = 204;
    gateway.hangUp();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(gateway.requests).toHaveLength(2);
    expect(heard.at(-1)).toBe("paused");
  });

  it("asks for a login when the session has ended", async () => {
    gateway.status = 401;
    stream.start();
    await settle();
    expect(heard).toContain("log in");
  });
});
