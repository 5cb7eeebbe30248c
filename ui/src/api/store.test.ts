import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError, type Answer } from "./client";
import { Entry, touchedBy } from "./store";

describe("touchedBy", () => {
  it.each([
    ["workloads", ["/projects", "/projects/demo", "/projects/demo/audit?limit=6", "/projects/demo/workloads"]],
    ["members", ["/me", "/projects", "/projects/demo", "/projects/demo/audit?limit=6", "/projects/demo/members"]],
    ["tokens", ["/tokens"]],
  ] as const)("names what shows %s, and no more", (kind, paths) => {
    expect(touchedBy({ kind, project: "demo" })).toEqual(paths);
  });

  it("names an environment and all below it, or all of them", () => {
    const below = (id?: string) => touchedBy({ kind: "environments", project: "demo", ...(id && { id }) }).filter((path) => path.startsWith("/projects/demo/environments"));
    expect(below("python")).toEqual([
      "/projects/demo/environments",
      "/projects/demo/environments-usage",
      "/projects/demo/environments/python",
      "/projects/demo/environments/python/",
    ]);
    expect(below()).toEqual(["/projects/demo/environments", "/projects/demo/environments-usage", "/projects/demo/environments/"]);
  });

  it("leaves a change that it does not know alone", () => {
    expect(touchedBy({ kind: "novelty" as "users", project: "demo" })).toEqual([]);
  });
});

describe("Entry", () => {
  const read = vi.fn<(path: string, etag: string) => Promise<Answer<unknown> | undefined>>();
  let entry: Entry;
  let told: number;

  beforeEach(() => {
    vi.useFakeTimers();
    read.mockReset().mockImplementation(() => Promise.resolve({ data: { n: 1 }, etag: '"a"' }));
    entry = new Entry("/x", read);
    told = 0;
  });
  afterEach(() => vi.useRealTimers());

  const show = async () => {
    const hide = entry.watch(() => told++);
    await vi.advanceTimersByTimeAsync(0);
    return hide;
  };

  it("is read once, however many show it", async () => {
    await show();
    await show();
    expect(read).toHaveBeenCalledTimes(1);
    expect(entry.known.data).toEqual({ n: 1 });
  });

  it("keeps its value, and tells nobody, when nothing is different", async () => {
    await show();
    const before = entry.known;
    told = 0;
    entry.invalidate();
    await vi.advanceTimersByTimeAsync(200);
    read.mockResolvedValueOnce(undefined); // 304
    entry.invalidate();
    await vi.advanceTimersByTimeAsync(200);
    expect(read.mock.calls.map(([, etag]) => etag)).toEqual(["", '"a"', '"a"']);
    expect(entry.known).toBe(before);
    expect(told).toBe(0);
  });

  it("is read once a second while it changes all the time, and after the last change", async () => {
    await show();
    for (let ms = 0; ms < 5000; ms += 50) {
      entry.changed();
      await vi.advanceTimersByTimeAsync(50);
    }
    const reads = read.mock.calls.length;
    expect(reads).toBeGreaterThanOrEqual(5);
    expect(reads).toBeLessThanOrEqual(6);
    entry.changed();
    await vi.advanceTimersByTimeAsync(5000);
    expect(read.mock.calls.length).toBe(reads + 1);
  });

  it("is read again when it changed while it was being read", async () => {
    let answer: (a: Answer<unknown>) => void = () => {};
    read.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)));
    await show();
    entry.invalidate();
    await vi.advanceTimersByTimeAsync(500);
    answer({ data: { n: 0 }, etag: "" });
    await vi.advanceTimersByTimeAsync(2000);
    expect(entry.known.data).toEqual({ n: 1 });
  });

  it("is not read while nobody shows it, and is when somebody does", async () => {
    (await show())();
    entry.changed();
    await vi.advanceTimersByTimeAsync(5000);
    expect(read).toHaveBeenCalledTimes(1);
    await show();
    expect(read).toHaveBeenCalledTimes(2);
  });

  it("keeps what it knows beside an error, and tries again when the gateway may be back", async () => {
    await show();
    read.mockRejectedValueOnce(new ApiError("down", "unreachable", 0, ""));
    entry.invalidate();
    await vi.advanceTimersByTimeAsync(200);
    expect(entry.known).toMatchObject({ data: { n: 1 }, error: { message: "down" } });
    await vi.advanceTimersByTimeAsync(3000);
    expect(entry.known.error).toBeUndefined();
  });

  it("does not ask again and again for what it may not have", async () => {
    read.mockRejectedValue(new ApiError("no", "not_found", 404, "e1"));
    await show();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(read).toHaveBeenCalledTimes(1);
  });
});
