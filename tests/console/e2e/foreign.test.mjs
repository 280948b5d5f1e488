// What tasks and people wrote is text: HTML, marks that turn the direction, names of any length.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Stage } from "./stage.mjs";

const HTML = "<img src=x onerror=\"document.title='injected'\"><script>document.title='injected'</script>";
const BIDI = "\u202egnp.exe\u2066 \u200f\u0000\u001b[31mred";
const LONG = "x".repeat(4_000);
let stage;

before(async () => { stage = await Stage.open(); stage.damage(); });
after(async () => { await stage?.close(); });

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
  for (const path of paths) {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(stage.origin + path);
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
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
