// What an address says: times of runs, the beginning of an id, a week of crons, and which cerebro it is of.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Stage } from "./stage.mjs";

const WIDE = join(dirname(fileURLToPath(import.meta.url)), "../servers/wide.py");

let stage;
before(async () => { stage = await Stage.open(); });
after(async () => { await stage?.close(); });

const seen = (page, text) => page.getByText(text).first().waitFor();

async function done(page) {
  assert.deepEqual(page.faults, []);
  await page.context().close();
}

test("runs are chosen by when they began, and the address keeps it", async () => {
  const runId = await stage.invoke("rates");
  await stage.until(runId, ["completed"]);
  const page = await stage.page();
  const link = page.locator("main tbody").getByRole("link", { name: "rates", exact: true }).first();
  await link.waitFor();
  await page.getByLabel("Began").selectOption("24h");
  await page.waitForURL(/since=24h/);
  await seen(page, "runs --since 24h");
  await link.waitFor();
  await page.getByLabel("Began").selectOption("between");
  await page.getByLabel("Before").fill("2020-01-01T08:00");
  await seen(page, "No run is like that.");
  // The zone of the browser is Berlin.
  assert.equal(new URL(page.url()).searchParams.get("until"), "2020-01-01T07:00:00Z");
  await page.reload();
  await seen(page, "No run is like that.");
  assert.equal(await page.getByLabel("Before").inputValue(), "2020-01-01T08:00");
  await page.goBack();
  await link.waitFor();
  await done(page);
});

test("the beginning of an id opens its run, and the address then has the whole", async () => {
  const runId = await stage.invoke("rates");
  await stage.until(runId, ["completed"]);
  const page = await stage.page();
  await page.goto(`${stage.origin}/runs/${runId.slice(0, 10).toLowerCase()}/tasks`);
  await page.waitForURL(`${stage.origin}/runs/${runId}/tasks`);
  await page.locator("main").getByRole("link", { name: "rates", exact: true }).first().waitFor();
  await page.goto(`${stage.origin}/runs/${runId.slice(0, 10)}/tasks/rates`);
  await page.waitForURL(`${stage.origin}/runs/${runId}/tasks/rates`);
  await page.goto(`${stage.origin}/runs/ZZZZZZZZ`);
  await seen(page, 'there is no run "ZZZZZZZZ".');
  await seen(page, "no id of the newest 1000 runs begins so");
  await done(page);
});

test("a week of crons is shown, with a day on which clocks change", async () => {
  const page = await stage.page();
  await page.goto(`${stage.origin}/crons`);
  const week = page.getByRole("table", { name: "Ticks of the week" });
  await week.getByRole("link", { name: "report" }).waitFor();
  await page.getByRole("button", { name: "Week after" }).click();
  // Five weekdays, all of them to come, at the time of the cron's own zone.
  await page.waitForFunction(() => document.querySelectorAll("table.calendar tbody tr:last-child .ticks > span").length === 5);
  await week.getByText("07:00").first().waitFor();
  await page.goto(`${stage.origin}/crons?day=2027-03-28`);
  await week.getByText("23 h").waitFor();
  await page.getByRole("button", { name: "This week" }).click();
  await page.waitForURL(`${stage.origin}/crons`);
  await done(page);
});

test("an address of a cerebro on AWS names it, and one of another opens nothing", async () => {
  const runId = await stage.invoke("rates");
  await stage.until(runId, ["completed"]);
  const page = await stage.page({ bypassCSP: true });
  await page.route("**/api/v1/me", async (route) => {
    const answer = await route.fetch();
    const me = { ...(await answer.json()), engine: "aws", place: "123456789012.eu-west-1.cordyna", driver: null };
    await route.fulfill({ response: answer, json: me });
  });
  await page.goto(`${stage.origin}/runs/${runId}/tasks`);
  await page.waitForURL(/where=123456789012\.eu-west-1\.cordyna/);
  await page.getByRole("link", { name: "Servers", exact: true }).click();
  await page.waitForURL(/\/servers\?where=123456789012\.eu-west-1\.cordyna$/);
  await page.goto(`${stage.origin}/runs/${runId}?where=999999999999.eu-west-1.cordyna`);
  await seen(page, "This link leads to another cerebro.");
  await seen(page, "account 999999999999");
  await page.getByRole("link", { name: "Look for it in this console all the same" }).click();
  await seen(page, "rates completed.");
  await done(page);
});

test("a server shows its workers", async () => {
  const page = await stage.page();
  await page.goto(`${stage.origin}/servers`);
  await page.getByRole("columnheader", { name: "Workers" }).waitFor();
  await page.getByText(/\d+ of \d+ busy/).first().waitFor();
  await page.getByRole("link", { name: "stock", exact: true }).click();
  await page.getByText(/\d+ of \d+ busy/).waitFor();
  await done(page);
});

test("siblings that are alike are one block, which unfolds", async () => {
  const wide = await Stage.open({ servers: [WIDE] });
  try {
    await wide.until(await wide.invoke("all-parts"), ["error"]);
    const { rows: [run] } = await wide.api("/runs");
    const page = await wide.page();
    await page.goto(`${wide.origin}/runs/${run.run_id}/graph`);
    await seen(page, "59 tasks folded");
    // The one that failed stays a block of its own, and is the first that needs attention.
    await page.locator("aside").getByRole("button", { name: /part-7/ }).click();
    await page.locator("aside").getByRole("heading", { name: "part-7" }).waitFor();
    await page.locator("canvas").focus();
    await page.keyboard.press("ArrowUp");
    await page.getByRole("button", { name: "Fold", exact: true }).click();
    await seen(page, /5[89] tasks folded/);
    await done(page);
  } finally {
    await wide.close();
  }
});
