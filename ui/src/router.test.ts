import { expect, it } from "vitest";
import { routeOf, to } from "./router";

it.each([
  ["/", { page: "projects" }],
  ["/projects", { page: "projects" }],
  ["/users", { page: "users" }],
  ["/projects/demo", { page: "home", project: "demo" }],
  ["/projects/demo/", { page: "home", project: "demo" }],
  ["/projects/demo/running", { page: "running", project: "demo" }],
  ["/projects/demo/members", { page: "members", project: "demo" }],
  ["/projects/demo/tokens", { page: "tokens", project: "demo" }],
  ["/projects/demo/nowhere", { page: "missing" }],
  ["/projects/demo/running/k1", { page: "missing" }],
  ["/nowhere", { page: "missing" }],
  ["/projects/%zz", { page: "home", project: "%zz" }],
])("%s shows %o", (path, route) => {
  expect(routeOf(path)).toEqual(route);
});

it("leads back to what it was made from", () => {
  expect(routeOf(to.running("a b/c"))).toEqual({ page: "running", project: "a b/c" });
});
