// What tasks and people wrote is text: HTML, marks that turn the direction, names of any length.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Stage } from "./stage.mjs";

const HOSTILE = join(dirname(fileURLToPath(import.meta.url)), "../servers/hostile.py");
const HTML = "<img src=x onerror=\"document.title='injected'\"><script>document.title='injected'</script>";
const BIDI = "\u202egnp.exe\u2066 \u200f\u0000\u001b[31mred";
const LONG = "x".repeat(4_000);
let stage;

before(async () => { stage = await Stage.open(); stage.damage(); });
after(async () => { await stage?.close(); });

/** Go to each address, wide and on a phone: nothing of the text is part of the page, or wider than it. */
async function look(own, page, paths) {
  for (const path of paths) {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(own.origin + path);
    await page.locator("main > *").first().waitFor();
    await page.waitForTimeout(300);
    assert.doesNotMatch(await page.title(), /injected/, path);
    assert.equal(await page.locator("main img, main script, main iframe, main b").count(), 0, path);
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 740 });
      await page.waitForTimeout(60);
      const wide = await page.locator("html").evaluate((html) => html.scrollWidth - html.clientWidth);
      assert.ok(wide <= 0, `${path} is ${wide} px wider than ${width} px`);
    }
  }
}

test("foreign text breaks no page, wide or on a phone, and is never part of it", async () => {
  const { run_id: runId } = await stage.api("/runs", {
    task: "report", params: { day: HTML + BIDI + LONG }, labels: { odd: HTML.slice(0, 200), turned: "\u202egnp.exe", long: LONG.slice(0, 200) },
  });
  await stage.until(runId, ["error"]);
  const paths = [
    "/runs", `/runs?q=${encodeURIComponent(HTML)}`, `/runs?label=${encodeURIComponent(`odd=${HTML.slice(0, 200)}`)}`,
    ...["graph?task=raw", "timeline", "tasks", "events", "logs?q=script", "params", "replay"].map((tab) => `/runs/${runId}/${tab}`),
    `/runs/${runId}/tasks/orders`, `/runs/${runId}/tasks/raw`, "/tasks/report", `/invoke/report?day=${encodeURIComponent(HTML + BIDI + LONG)}`, "/events",
    `/${encodeURIComponent(HTML)}`, `/tasks/${encodeURIComponent("<b>x</b>")}`, "/tasks?q=%3Cb%3E", `/runs/${runId}/${encodeURIComponent("<b>")}`,
  ];
  const page = await stage.page();
  await look(stage, page, paths);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("names, owners and errors of a server break no page, and turn no text beside them", async () => {
  const hostile = await Stage.open({ servers: [HOSTILE] });
  try {
    const runId = await hostile.invoke("fails");
    await hostile.until(runId, ["error"]);
    await hostile.incident("fails");
    const name = "a".repeat(60);
    const page = await hostile.page();
    await look(hostile, page, [
      "/runs", ...["graph", "timeline", "tasks", "events", "logs", "params"].map((tab) => `/runs/${runId}/${tab}`), `/runs/${runId}/tasks/${name}`, `/runs/${runId}/tasks/fails`,
      "/tasks", `/tasks/${name}`, `/invoke/${name}`, "/graph", "/servers", "/servers/hostile", "/incidents", "/crons", "/doctor",
    ]);
    // The time after the owner reads from left to right.
    await page.goto(`${hostile.origin}/runs`);
    const after = page.locator(".needs li time").first();
    await after.waitFor();
    const order = await after.evaluate((time) => time.getBoundingClientRect().left >= time.parentElement.querySelector("bdi").getBoundingClientRect().left);
    assert.ok(order, "what follows the owner is drawn before it");
    assert.deepEqual(page.faults, []);
    await page.context().close();
  } finally {
    await hostile.close();
  }
});
