// What the page may cost. Figures are printed always; times fail only beyond three times the budget.
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Stage } from "./stage.mjs";

const LARGE = join(dirname(fileURLToPath(import.meta.url)), "../servers/large.py");
const TIMES = 3;
const FIRST_VIEW_BYTES = 75_000;
const FIRST_VIEW_REQUESTS = 40;
const ELEMENTS = 1_500;
const MINUTES = Number(process.env.MEMORY_MINUTES ?? 2);

const report = (name, value, budget, unit) => console.log(`${name}: ${Math.round(value * 10) / 10} ${unit} (budget ${budget})`);
function within(name, value, budget, unit, times = TIMES) {
  report(name, value, budget, unit);
  assert.ok(value <= budget * times, `${name}: ${value} ${unit} is more than ${times} x ${budget}`);
}
const elements = (page) => page.evaluate(() => document.querySelectorAll("*").length);

/** How much longer than its own CPU time something takes on this machine now: 1 where it is idle. */
function slowdown() {
  const before = process.cpuUsage();
  const begin = performance.now();
  let sum = 0;
  do {
    for (let step = 0; step < 1e5; step++) sum += Math.sqrt(step);
  } while (process.cpuUsage(before).user < 60_000);
  const used = process.cpuUsage(before);
  return Math.max(1, (performance.now() - begin) / ((used.user + used.system) / 1000)) + Number(sum < 0);
}

/** Milliseconds from opening a run to its first picture, and of script for the rows that follow. */
async function pictureOf(stage, tasks) {
  const page = await stage.page({ bypassCSP: true });
  const runId = await stage.invoke("all");
  const factors = [slowdown()];
  const begin = Date.now();
  await page.goto(`${stage.origin}/runs/${runId}/graph`, { waitUntil: "commit" });
  await page.locator("canvas[data-level]").waitFor();
  await page.getByText(`${tasks.toLocaleString("en")} tasks:`).waitFor();
  const wall = Date.now() - begin;
  factors.push(slowdown());
  // Other programs of the machine, and the run itself, take their share: it is not the page's.
  const factor = (factors[0] + factors[1]) / 2;
  console.log(`first picture of ${tasks} tasks: ${wall} ms by the clock, on a machine that is ${factor.toFixed(1)} times slower than alone`);
  return { page, took: wall / factor, runId };
}

test("the first view is small and comes from nowhere else", async () => {
  const stage = await Stage.open();
  try {
    const page = await stage.page();
    await page.goto("about:blank");
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    await session.send("Network.setCacheDisabled", { cacheDisabled: true });
    let bytes = 0;
    session.on("Network.loadingFinished", ({ encodedDataLength }) => { bytes += encodedDataLength; });
    page.asked.length = 0;
    await page.goto(`${stage.origin}/runs`);
    await page.getByText("There is no run yet.").or(page.locator("main table")).first().waitFor();
    await page.waitForTimeout(500);
    within("first view", bytes / 1000, FIRST_VIEW_BYTES / 1000, "kB", 1);
    within("first view", page.asked.length, FIRST_VIEW_REQUESTS, "requests", 1);
    for (const url of page.asked) assert.ok(url.startsWith(stage.origin), `${url} comes from elsewhere`);
    assert.deepEqual(page.faults, []);
  } finally {
    await stage.close();
  }
});

for (const [size, budgetMs] of [[1_000, 500], [10_000, 1_500]]) {
  test(`a run of ${size.toLocaleString("en")} tasks`, async () => {
    const stage = await Stage.open({ servers: [LARGE], env: { LARGE: String(size) } });
    try {
      const { page, took, runId } = await pictureOf(stage, size);
      const live = await stage.api(`/runs/${runId}`);
      within(`first picture of ${size} tasks (run ${live.state})`, took, budgetMs, "ms");
      await stage.until(runId, ["error", "completed"], 300_000);
      await page.getByText("all ended in error").first().waitFor();
      const rows = await page.evaluate(() => performance.getEntriesByName("apply-rows").map(({ duration, detail }) => ({ duration, detail })));
      const draw = Number(await page.locator("canvas").getAttribute("data-ms"));
      const slowest = rows.reduce((a, b) => (b.duration > a.duration ? b : a));
      within(`apply ${slowest.detail} rows and draw, of ${rows.length} messages`, slowest.duration + draw, 16, "ms of script");
      within("elements, graph", await elements(page), ELEMENTS, "elements", 1);
      for (const tab of ["Timeline", "Tasks", "Logs", "Events"]) {
        await page.locator(".tabs").getByRole("link", { name: tab, exact: true }).click();
        await page.waitForTimeout(700);
        if (tab === "Events" || tab === "Logs") continue; // a page of rows is asked for at a time
        within(`elements, ${tab}`, await elements(page), ELEMENTS, "elements", 1);
      }
      const answers = {};
      for (const path of ["structure", "facts"]) {
        const answer = await fetch(`${stage.origin}/api/v1/runs/${runId}/${path}`, { headers: { Authorization: `Bearer ${stage.token}`, "Accept-Encoding": "gzip" } });
        answers[path] = Number(answer.headers.get("content-length"));
      }
      if (size === 10_000) {
        within("structure", answers.structure / 1000, 100, "kB", 1);
        // Times have more digits, and compress less, on a busy machine.
        within("facts", answers.facts / 1000, 40, "kB", 1.5);
      }
      assert.deepEqual(page.faults, []);
    } finally {
      await stage.close();
    }
  });
}

test("memory stays flat while runs come and go", async () => {
  const stage = await Stage.open();
  try {
    const page = await stage.page({ bypassCSP: true });
    const session = await page.context().newCDPSession(page);
    await session.send("HeapProfiler.enable");
    const heap = async () => {
      await session.send("HeapProfiler.collectGarbage");
      const { usedSize } = await session.send("Runtime.getHeapUsage");
      return usedSize / 1e6;
    };
    const work = async () => {
      const runId = await stage.invoke("rates");
      await stage.until(runId, ["completed"]);
      await page.goto(`${stage.origin}/runs/${runId}/graph`).catch(() => {});
    };
    // Within one document: navigation by links, as a person does it.
    const look = async () => {
      for (const name of ["Tasks", "Graph", "Servers", "Runs"]) {
        await page.getByRole("link", { name, exact: true }).first().click();
        await page.waitForTimeout(120);
      }
      await page.locator("main tbody a").first().click();
      await page.locator(".tabs").getByRole("link", { name: "Graph" }).click();
      await page.locator("canvas[data-level]").waitFor();
      await page.locator(".tabs").getByRole("link", { name: "Timeline" }).click();
      await page.waitForTimeout(120);
    };
    await work();
    for (let round = 0; round < 5; round++) await look();
    const first = await heap();
    const end = Date.now() + MINUTES * 60_000;
    let rounds = 0;
    while (Date.now() < end) {
      await stage.invoke("rates");
      await look();
      rounds += 1;
    }
    const last = await heap();
    console.log(`heap after ${rounds} rounds: ${first.toFixed(1)} -> ${last.toFixed(1)} MB`);
    assert.ok(last < 80, `${last} MB`);
    assert.ok(last < first * 1.5 + 4, `${first} -> ${last} MB grows`);
    assert.deepEqual(page.faults, []);
  } finally {
    await stage.close();
  }
});
