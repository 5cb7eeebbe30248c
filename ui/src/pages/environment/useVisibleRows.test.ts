import { expect, it } from "vitest";
import { visibleRows } from "./useVisibleRows";

it("covers the window wherever it is, and draws few rows", () => {
  for (let scrolled = -3000; scrolled < 500_000; scrolled += 137) {
    const { from, to } = visibleRows(scrolled, 900, 10_000, 44);
    const first = Math.max(0, Math.floor(scrolled / 44));
    const last = Math.min(10_000, Math.ceil((scrolled + 900) / 44));
    if (first < 10_000 && last > 0) {
      expect(from).toBeLessThanOrEqual(first);
      expect(to).toBeGreaterThanOrEqual(last);
    }
    expect(to - from).toBeLessThan(90);
    expect(from).toBeGreaterThanOrEqual(0);
    expect(to).toBeLessThanOrEqual(10_000);
  }
});

it("draws nothing of an empty list", () => {
  expect(visibleRows(0, 900, 0, 44)).toEqual({ from: 0, to: 0 });
});
