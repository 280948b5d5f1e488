// axe-core on every page, light, dark and with forced colours: no violation.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Stage } from "./stage.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SCHEMES = [["light", { colorScheme: "light" }], ["dark", { colorScheme: "dark" }], ["forced colours", { forcedColors: "active" }]];
let stage;
let paths;

before(async () => {
  stage = await Stage.open();
  stage.damage();
  const failed = await stage.invoke("report", { day: "monday" });
  const other = await stage.invoke("forecast");
  await stage.until(failed, ["error"]);
  await stage.until(other, ["error"]);
  const live = await stage.invoke("slow", { seconds: 600 });
  const { incident } = await stage.incident("raw");
  paths = [
    "/runs", "/runs?q=nothing-has-this-name", `/runs/${live}`, `/runs/${failed}/graph?task=raw`, `/runs/${failed}/graph`, `/runs/${failed}/timeline?task=raw`,
    `/runs/${failed}/tasks`, `/runs/${failed}/events`, `/runs/${failed}/logs?q=part`, `/runs/${failed}/params`, `/runs/${failed}/cost`, `/runs/${failed}/replay`,
    `/runs/${failed}/tasks/raw`, "/tasks", "/tasks/report", "/graph", "/graph?task=raw", "/servers", "/servers/sales", "/invoke/report",
    "/invoke/report?top=99", "/invoke/orphan", "/rehearse", "/crons", "/incidents", `/incidents/${incident}`, `/incidents/${"0".repeat(26)}`, "/dead-letters", "/doctor", "/events", `/compare/${failed}/${other}`, "/closed",
    "/no-such-page", `/runs/${"0".repeat(26)}`,
  ];
});
after(async () => { await stage?.close(); });

async function violations(page) {
  await page.addScriptTag({ content: AXE }).catch(() => page.evaluate(AXE));
  const found = await page.evaluate(async () => {
    const { violations: all } = await window.axe.run(document, { resultTypes: ["violations"] });
    return all.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary?.split("\n").slice(1, 3).join(" ")}`).join(" | ")}`);
  });
  return found;
}

for (const [name, options] of SCHEMES) {
  test(`no page violates axe's rules: ${name}`, async () => {
    // The policy forbids foreign scripts, and axe is one: here, and only here, it is bypassed.
    const page = await stage.page({ ...options, bypassCSP: true });
    const found = [];
    for (const path of paths) {
      await page.goto(stage.origin + path);
      await page.locator("main > *").first().waitFor();
      await page.waitForTimeout(350);
      for (const violation of await violations(page)) found.push(`${path} ${violation}`);
    }
    await page.goto(`${stage.origin}/runs`);
    for (const keys of ["Control+k", "?"]) {
      await page.keyboard.press(keys);
      await page.getByRole("dialog").waitFor();
      await page.waitForTimeout(300);
      for (const violation of await violations(page)) found.push(`${keys} ${violation}`);
      await page.keyboard.press("Escape");
    }
    assert.deepEqual(found, []);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}
