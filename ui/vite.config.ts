import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Writes a .gz beside every file that gains by it: the gateway sends those as they are. */
function packed(): Plugin {
  return {
    name: "packed",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        for (const file of Object.values(bundle)) {
          const source = Buffer.from(file.type === "chunk" ? file.code : file.source);
          const gzip = gzipSync(source, { level: 9 });
          if (gzip.length < 0.9 * source.length) {
            this.emitFile({ type: "asset", fileName: `${file.fileName}.gz`, source: gzip });
          }
        }
        // Git keeps the folder by this file, so that Go can embed it before the first build.
        this.emitFile({ type: "asset", fileName: ".keep", source: "" });
      },
    },
  };
}

const gateway = process.env["HOPYARD"] ?? "http://127.0.0.1:8890";

export default defineConfig({
  plugins: [packed()],
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the page's policy allows no inlined script
    reportCompressedSize: false,
  },
  test: { testTimeout: 120_000, hookTimeout: 120_000 }, // they are for what hangs, not for how busy a machine is
  // `npm run dev` shows the console of a running gateway with the source's newest state.
  server: {
    host: "127.0.0.1",
    proxy: { "/api": gateway, "/login": gateway, "/logout": gateway, "/p/": gateway },
  },
});
