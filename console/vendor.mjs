// Copies the page's libraries from node_modules, byte by byte, and writes vendor.json beside them.
// Run by `make vendor`; `node console/vendor.mjs --check` compares instead of copying.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = process.env.NODE_MODULES ?? join(here, "..", "node_modules");
const target = join(here, "src/cordyna_console/page/vendor");
const FILES = [
  ["preact.js", "preact", "dist/preact.mjs"],
  ["preact-hooks.js", "preact", "hooks/dist/hooks.mjs"],
  ["signals.js", "@preact/signals", "dist/signals.mjs"],
  ["signals-core.js", "@preact/signals-core", "dist/signals-core.mjs"],
  ["htm.js", "htm", "dist/htm.mjs"],
  ["LICENSE-preact.txt", "preact", "LICENSE"],
  ["LICENSE-signals.txt", "@preact/signals", "LICENSE"],
  ["LICENSE-htm.txt", "htm", "LICENSE"],
];

const entries = FILES.map(([file, name, source]) => {
  const content = readFileSync(join(modules, name, source));
  const { version, license } = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { content, entry: { file, package: name, version, licence: license, source, sha256 } };
});
const index = `${JSON.stringify(entries.map(({ entry }) => entry), null, 2)}\n`;

if (process.argv.includes("--check")) {
  const stale = entries.filter(({ content, entry }) => !readFileSync(join(target, entry.file)).equals(content));
  if (stale.length > 0 || readFileSync(join(target, "vendor.json"), "utf8") !== index) {
    console.error(`not what npm has: ${stale.map(({ entry }) => entry.file).join(", ") || "vendor.json"}`);
    console.error("next: make vendor");
    process.exit(1);
  }
} else {
  for (const { content, entry } of entries) writeFileSync(join(target, entry.file), content);
  writeFileSync(join(target, "vendor.json"), index);
}
