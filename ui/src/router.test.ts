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
  ["/projects/demo/environments", { page: "environments", project: "demo" }],
  ["/projects/demo/environments/python", { page: "environment", project: "demo", environment: "python", part: "packages" }],
  ["/projects/demo/environments/python/spec", { page: "environment", project: "demo", environment: "python", part: "spec" }],
  ["/projects/demo/environments/python/builds/12", { page: "build", project: "demo", environment: "python", build: 12 }],
  ["/projects/demo/environments/python/builds/0", { page: "missing" }],
  ["/projects/demo/environments/python/spec/1", { page: "missing" }],
  ["/projects/demo/environments/python/builds/12/x", { page: "missing" }],
  ["/projects/demo/nowhere", { page: "missing" }],
  ["/projects/demo/running/k1", { page: "missing" }],
  ["/nowhere", { page: "missing" }],
  ["/projects/%zz", { page: "home", project: "%zz" }],
])("%s shows %o", (path, route) => {
  expect(routeOf(path)).toEqual(route);
});

it("leads back to what it was made from", () => {
  expect(routeOf(to.running("a b/c"))).toEqual({ page: "running", project: "a b/c" });
  expect(routeOf(to.environment("demo", "a/b"))).toEqual({ page: "environment", project: "demo", environment: "a/b", part: "packages" });
  expect(routeOf(to.build("demo", "python", 7))).toEqual({ page: "build", project: "demo", environment: "python", build: 7 });
});
