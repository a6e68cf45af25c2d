// Excalidraw's package imports stylesheets and bare directories, which Node does not.
import { build } from "esbuild";

await build({
  stdin: {
    contents: 'export { restore, serializeAsJSON } from "@excalidraw/excalidraw";',
    resolveDir: ".",
  },
  outfile: "node_modules/.peers/excalidraw.mjs",
  bundle: true,
  format: "esm",
  platform: "node",
  conditions: ["production"],
  loader: { ".css": "empty", ".woff2": "empty", ".ttf": "empty" },
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
  logLevel: "error",
});
