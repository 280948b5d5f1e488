// What a person does on the page, from the first look to a repaired run, against a real `dyna dev`.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { Stage } from "./stage.mjs";

let stage;
before(async () => { stage = await Stage.open(); });
after(async () => { await stage?.close(); });
beforeEach(() => stage.damage());

const seen = (page, text) => page.getByText(text).first().waitFor();
const heading = (page, name) => page.getByRole("heading", { name, exact: true }).first().waitFor();

async function done(page) {
  assert.deepEqual(page.faults, []);
  await page.context().close();
}

test("invoke by form, watch it fail, see why, read logs, repair, retry, completed", async () => {
  const page = await stage.page();
  await page.getByRole("link", { name: "Tasks", exact: true }).click();
  await page.getByRole("link", { name: "Invoke report" }).click();
  await seen(page, "Would run 7 tasks on 3 servers");
  await page.getByLabel("top").fill("99");
  await seen(page, "It would be refused");
  await seen(page, "99 is more than 50");
  assert.equal(await page.getByRole("button", { name: "Invoke", exact: true }).getAttribute("aria-disabled"), "true");
  await page.getByLabel("top").fill("7");
  await page.getByLabel("day").fill("monday");
  await page.locator("[data-send] button.primary:not([aria-disabled=true])").waitFor();
  await seen(page, "dyna --home");
  await page.getByRole("button", { name: "Invoke", exact: true }).click();
  await heading(page, "report");
  await seen(page, "raw on sales failed (attempt 2): ValueError: row 7: the price '<n/a>' is not a number");
  await seen(page, "3 blocked");
  assert.match(page.url(), /\/runs\/[0-9A-Z]{26}\/graph$/);

  await page.getByRole("link", { name: "Logs", exact: true }).first().click();
  await seen(page, "part 59: 413 orders");
  await page.getByLabel("Search all lines").fill("part 5");
  await seen(page, /11 of \d+ lines/);
  assert.equal(await page.locator(".log mark").count(), 11);
  await page.getByLabel("Search all lines").fill("script");
  await seen(page, "<script>document.title = 'injected'</script> red");
  assert.doesNotMatch(await page.title(), /injected/);

  stage.repair();
  await page.getByRole("button", { name: "Retry", exact: true }).click();
  await seen(page, "retried: what failed is given a new attempt");
  await seen(page, "report completed");
  await page.getByRole("link", { name: "Params and output" }).click();
  await seen(page, '"monday"');
  await seen(page, "7 tasks:");
  await done(page);
});

test("a task that failed and printed nothing is retried from its page", async () => {
  const runId = await stage.invoke("forecast");
  await stage.until(runId, ["error"]);
  const page = await stage.page();
  for (const path of [`/runs/${runId}/tasks/forecast`, `/runs/${runId}/graph?task=forecast`]) {
    await page.goto(stage.origin + path);
    await seen(page, "it printed nothing");
    await page.getByRole("button", { name: "Retry forecast" }).waitFor();
  }
  await page.getByRole("button", { name: "Retry forecast" }).click();
  await seen(page, "retried: what failed is given a new attempt");
  await done(page);
});

test("a running run is cancelled after a question", async () => {
  const runId = await stage.invoke("slow", { seconds: 120 });
  const page = await stage.page();
  await page.goto(`${stage.origin}/runs/${runId}`);
  await seen(page, "1 started");
  await page.getByRole("button", { name: "Cancel run" }).click();
  await seen(page, "Cancel this run?");
  await page.getByRole("button", { name: "No, leave it" }).click();
  await page.getByRole("button", { name: "Cancel run" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel run" }).click();
  await seen(page, "slow was cancelled.");
  assert.equal((await stage.api(`/runs/${runId}`)).cancelled, true);
  await done(page);
});

test("an address opens the console once and leads where it says", async () => {
  const page = await stage.page();
  const address = await stage.openingAddress("/servers/sales");
  await page.goto(address);
  await heading(page, "sales");
  await page.goto(address);
  await seen(page, "This address does not open the console any more.");
  const stranger = await (await stage.chromium()).newContext();
  const tab = await stranger.newPage();
  await tab.goto(`${stage.origin}/runs`);
  await seen(tab, "this browser has not opened the console.");
  await seen(tab, "dyna --home".slice(0, 4));
  await stranger.close();
  await done(page);
});

test("filters are part of the address, and back and reload keep them", async () => {
  await stage.until(await stage.invoke("forecast"), ["error"]);
  const page = await stage.page();
  await page.getByLabel("State").selectOption("error");
  const link = page.getByRole("table", { name: "Runs" }).getByRole("link", { name: "forecast" }).first();
  await link.waitFor();
  assert.match(page.url(), /state=error/);
  await link.click();
  await heading(page, "forecast");
  await page.goBack();
  await heading(page, "Runs");
  assert.match(page.url(), /state=error/);
  await page.reload();
  await heading(page, "Runs");
  assert.equal(await page.getByLabel("State").inputValue(), "error");
  await page.getByLabel("Search").fill("nothing has this name");
  await seen(page, "No run is like that.");
  await done(page);
});

test("the list of runs is live in two tabs at once", async () => {
  const one = await stage.page();
  const two = await one.context().newPage();
  await two.goto(`${stage.origin}/runs?task=stock-levels`);
  await two.getByText("live").first().waitFor();
  const runId = await stage.invoke("stock-levels");
  for (const page of [one, two]) {
    await page.bringToFront();
    await page.getByText(runId.slice(0, 8)).first().waitFor();
  }
  await stage.until(runId, ["completed"]);
  await two.getByRole("row").filter({ hasText: runId.slice(0, 8) }).getByText("completed").waitFor();
  await done(one);
});

test("a reload in the middle of a run continues it", async () => {
  const runId = await stage.invoke("slow", { seconds: 12 });
  const page = await stage.page();
  await page.goto(`${stage.origin}/runs/${runId}/timeline`);
  await seen(page, "1 started");
  await page.reload();
  await seen(page, "1 started");
  await seen(page, "slow completed");
  await done(page);
});

test("a console that is killed and back again keeps the page and continues", async () => {
  const own = await Stage.open();
  try {
    const page = await own.page();
    await own.until(await own.invoke("forecast"), ["error"]);
    await page.getByRole("link", { name: "forecast" }).first().waitFor();
    await own.stop("SIGKILL");
    await seen(page, "The console does not answer.");
    await seen(page, "What is shown is the state of");
    await page.getByRole("link", { name: "forecast" }).first().waitFor();
    await own.start(own.port);
    await page.getByText("The console does not answer.").waitFor({ state: "detached" });
    const runId = await own.invoke("rates");
    await page.getByText(runId.slice(0, 8)).first().waitFor();
    assert.deepEqual(page.faults, []);
  } finally {
    await own.close();
  }
});

test("a declaration is rehearsed and nothing is declared", async () => {
  const page = await stage.page();
  await page.goto(`${stage.origin}/rehearse`);
  const declared = { server: "new", tasks: [{ name: "nowhere" }, { name: "raw", upstream: [] }] };
  await page.getByLabel("ServerDeclared").fill(JSON.stringify(declared));
  await page.getByRole("button", { name: "Rehearse", exact: true }).click();
  await seen(page, "new would be rejected");
  await page.getByLabel("ServerDeclared").fill(JSON.stringify({ server: "new", tasks: [{ name: "nowhere" }] }));
  await page.getByRole("button", { name: "Rehearse", exact: true }).click();
  await seen(page, "new would be accepted");
  await seen(page, "could be invoked at last");
  await page.getByLabel("ServerDeclared").fill("{");
  await page.getByRole("button", { name: "Rehearse", exact: true }).click();
  await seen(page, "This is not JSON.");
  assert.ok(!(await stage.api("/tasks")).rows.some((row) => row.task === "nowhere"));
  await done(page);
});

test("declarations that dyna hands over behind the address are rehearsed at once", async () => {
  const page = await stage.page();
  const fragment = Buffer.from(JSON.stringify([{ server: "new", tasks: [{ name: "nowhere", description: "ä" }] }])).toString("base64url");
  await page.goto(`${await stage.openingAddress("/rehearse")}#${fragment}`);
  await seen(page, "new would be accepted");
  assert.match(await page.getByLabel("ServerDeclared").inputValue(), /"ä"/);
  assert.ok(!page.url().includes("#"));
  await done(page);
});

test("the graph is walked, focused and opened with keys", async () => {
  const runId = await stage.invoke("report");
  await stage.until(runId, ["error"]);
  const page = await stage.page();
  await page.goto(`${stage.origin}/runs/${runId}/graph?task=raw`);
  await page.locator("canvas[data-level]").waitFor();
  await page.locator("canvas").focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForURL(/task=clean/);
  await seen(page, "clean on sales is blocked: it needs raw, which failed.");
  await page.keyboard.press("ArrowLeft");
  await page.waitForURL(/task=raw/);
  await page.keyboard.press("f");
  await page.getByRole("button", { name: "Whole graph" }).waitFor();
  await page.locator("canvas").focus();
  await page.keyboard.press("Enter");
  await heading(page, "raw");
  await seen(page, "Another attempt may succeed.");
  await done(page);
});

test("everything is reached without a mouse", async () => {
  const page = await stage.page();
  await page.keyboard.press("g");
  await page.keyboard.press("t");
  await heading(page, "Tasks");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("invoke rates");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("rates");
  await page.getByRole("option", { name: /Invoke rates/ }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  const option = page.getByRole("option", { name: /Invoke rates/ });
  for (let at = 0; at < 20 && (await option.getAttribute("aria-selected")) !== "true"; at++) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await heading(page, "Invoke rates");
  await seen(page, "Would run 1 task");
  await page.getByLabel("Reuse results").focus();
  await page.keyboard.press("Control+Enter");
  await seen(page, "rates completed");
  await page.keyboard.press("g");
  await page.keyboard.press("r");
  await heading(page, "Runs");
  await page.getByRole("link", { name: "rates" }).first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/runs\/[0-9A-Z]{26}/);
  await seen(page, "dyna --home");
  await page.keyboard.press("?");
  await heading(page, "Keys");
  await page.keyboard.press("Escape");
  await page.keyboard.press("w");
  await seen(page, "copied: dyna");
  await done(page);
});

test("a phone reads why and cancels, without scrolling sideways", async () => {
  const runId = await stage.invoke("slow", { seconds: 120 });
  const page = await stage.page({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  for (const path of ["/runs", `/runs/${runId}`, "/tasks", "/servers", "/crons", "/invoke/report", "/doctor"]) {
    await page.goto(stage.origin + path);
    await page.locator("main h1").first().waitFor();
    const wide = await page.locator("html").evaluate((html) => html.scrollWidth - html.clientWidth);
    assert.ok(wide <= 0, `${path} is ${wide} px wider than the phone`);
  }
  await page.goto(`${stage.origin}/runs/${runId}`);
  await page.getByRole("button", { name: "Cancel run" }).tap();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel run" }).tap();
  await seen(page, "slow was cancelled.");
  await done(page);
});

test("times are shown in the chosen zone, and its name is printed", async () => {
  await stage.until(await stage.invoke("rates"), ["completed"]);
  const page = await stage.page();
  await seen(page, "(Berlin)");
  await page.getByLabel("Time zone").selectOption("utc");
  await seen(page, "(UTC)");
  await page.reload();
  await seen(page, "(UTC)");
  await page.goto(`${stage.origin}/crons`);
  await seen(page, "Monday to Friday at 07:00");
  await page.getByRole("row", { name: /report/ }).getByText("Mon 07:00").or(page.getByRole("row", { name: /report/ }).getByText("07:00:00")).first().waitFor();
  await done(page);
});

test("dead letters are read one by one and put back", async () => {
  const { spawnSync } = await import("node:child_process");
  const sent = spawnSync(`${process.cwd()}/.venv/bin/dyna`, ["--home", stage.home, "send", "-"], { input: '{"detail-type":"Odd"}\n', cwd: stage.folder, env: stage.env });
  assert.equal(sent.status, 0, String(sent.stderr));
  const page = await stage.page();
  await page.goto(`${stage.origin}/dead-letters`);
  await page.getByRole("button", { name: "Redrive all" }).waitFor();
  await page.getByText("The message").first().click();
  await seen(page, "Odd");
  await page.getByRole("button", { name: "Redrive all" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Redrive all" }).click();
  await seen(page, "put back into");
  await done(page);
});

test("two runs are compared", async () => {
  const failed = await stage.invoke("report", { day: "monday" });
  await stage.until(failed, ["error"]);
  stage.repair();
  const good = await stage.invoke("report", { day: "sunday" });
  await stage.until(good, ["completed"]);
  const page = await stage.page();
  await page.goto(`${stage.origin}/compare/${failed}/${good}`);
  await heading(page, "Compare two runs");
  await page.getByRole("row", { name: /raw/ }).getByText("error").waitFor();
  await seen(page, '"sunday"');
  await done(page);
});

test("an incident is read, its task run opened, and snoozed", async () => {
  // Other flows fail the same task: this one has a home of its own.
  const own = await Stage.open();
  try {
    const failed = await own.invoke("forecast");
    await own.until(failed, ["error"]);
    await own.incident("forecast");
    const page = await own.page();
    await page.locator("nav").getByRole("link", { name: /^Incidents/ }).click();
    await page.getByRole("link", { name: "forecast failed: TerminalError: the model is missing" }).click();
    await heading(page, "open forecast failed: TerminalError: the model is missing");
    await page.getByRole("link", { name: "Attempts and logs of forecast" }).click();
    await page.waitForURL(`${own.origin}/runs/${failed}/tasks/forecast`);
    await page.goBack();
    await page.getByRole("button", { name: "Snooze 4 h" }).click();
    await seen(page, "snoozed for 4 h");
    await page.getByText("Snoozed", { exact: true }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Snooze 4 h" }).count(), 0);
    await page.locator("nav").getByRole("link", { name: /^Incidents/ }).click();
    await seen(page, /^snoozed until /);
    await done(page);
  } finally {
    await own.close();
  }
});
