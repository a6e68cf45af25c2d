import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { fonts } from "./fonts.ts";

/** What every page needs besides its script: asked for while that is still on its way. */
const AHEAD = [
  [/desk_client_bg-.*\.wasm$/, { as: "fetch", type: "application/wasm" }],
  [/onest-basic-.*\.woff2$/, { as: "font", type: "font/woff2" }],
] as const;

/** What the build begins with. */
const ENTRY = join(import.meta.dirname, "src/main.ts");

/** The service worker. Its name never changes: browsers ask for it again to find a new version. */
const WORKER = "sw.js";

/** What a file may weigh on its way, compressed, in bytes: a heavier one fails the build. */
const WEIGHT_MAX = [[/desk_files_bg-.*\.wasm$/, 140_000]] as const;

interface Modules {
  getModuleInfo(id: string): { importedIds: readonly string[] } | null;
}

/** What the page's script imports at once: one file, since pieces of it compress worse. */
function atOnce(modules: Modules): Set<string> {
  const found = new Set([ENTRY]);
  for (const id of found) for (const next of modules.getModuleInfo(id)?.importedIds ?? []) found.add(next);
  return found;
}

/** Names the module and the font in the page's head. */
function preload(): Plugin {
  return {
    name: "preload",
    transformIndexHtml: {
      order: "post",
      handler: (_, { bundle }) =>
        AHEAD.flatMap(([name, attrs]) =>
          Object.keys(bundle ?? {})
            .filter((file) => name.test(file))
            .map((file) => ({
              tag: "link",
              attrs: { rel: "preload", href: `./${file}`, crossorigin: "", ...attrs },
              injectTo: "head" as const,
            })),
        ),
    },
  };
}

/** Tells the service worker which files make up this version of the page. */
function worker(): Plugin {
  let folder = "";
  return {
    name: "worker",
    apply: "build",
    enforce: "post",
    configResolved: (config) => {
      folder = config.publicDir;
    },
    generateBundle: (_, bundle) => {
      const all = Object.values(bundle);
      const script = all.find((file) => file.fileName === WORKER);
      const entry = all.find((file) => file.type === "chunk" && file.moduleIds.includes(ENTRY));
      if (script?.type !== "chunk" || entry === undefined) throw new Error("the page has a worker and a script");
      const own = readdirSync(folder).filter((name) => !name.endsWith(".txt"));
      const files = [...own, ...Object.keys(bundle).filter((name) => ![WORKER, "index.html"].includes(name))];
      const version = createHash("sha256").update(files.join()).update(script.code);
      for (const name of own) version.update(readFileSync(join(folder, name)));
      const page = bundle["index.html"];
      if (page?.type === "asset") version.update(page.source);
      const told = { FILES: files.sort(), VERSION: version.digest("hex").slice(0, 16), ENTRY: entry.fileName };
      const lines = Object.entries(told).map(([name, value]) => `const ${name}=${JSON.stringify(value)};`);
      script.code = `${lines.join("\n")}\n${script.code}`;
    },
  };
}

/** Puts a `.br` beside each file that brotli makes a tenth smaller; the server embeds both. */
function brotli(): Plugin {
  let folder = "";
  return {
    name: "brotli",
    apply: "build",
    configResolved: (config) => {
      folder = config.build.outDir;
    },
    closeBundle: () => {
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || entry.name.endsWith(".br")) continue;
        const file = join(entry.parentPath, entry.name);
        const bytes = readFileSync(file);
        const packed = brotliCompressSync(bytes, {
          params: {
            [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
            [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
          },
        });
        const [, most] = WEIGHT_MAX.find(([name]) => name.test(entry.name)) ?? [];
        if (most !== undefined && packed.length > most) {
          throw new Error(`${entry.name} takes ${packed.length} bytes compressed, more than ${most}`);
        }
        if (packed.length < bytes.length * 0.9) writeFileSync(`${file}.br`, packed);
      }
    },
  };
}

export default defineConfig({
  // What the page's head names is relative to its base, and the rest to the files themselves.
  base: "./",
  plugins: [fonts(), svelte(), preload(), worker(), brotli()],
  build: {
    target: "es2022",
    // The server's Content-Security-Policy allows nothing but its own files.
    assetsInlineLimit: 0,
    assetsDir: "assets",
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      checks: { pluginTimings: false },
      input: { index: "index.html", worker: "worker/worker.ts" },
      output: {
        codeSplitting: {
          groups: [{ name: (id, modules) => (atOnce(modules).has(id) ? "page" : null) }],
        },
        entryFileNames: (chunk) => (chunk.name === "worker" ? WORKER : "assets/[name]-[hash].js"),
      },
    },
  },
  server: {
    // `npm run dev` beside a running server.
    proxy: { "/api": { target: "http://127.0.0.1:8080", ws: true } },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
