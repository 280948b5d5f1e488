// The hosted console in a browser: signing in, looking, invoking as a person, without streams.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { ROOT } from "./stage.mjs";

const ALL = "openid cordyna/look cordyna/invoke cordyna/operate";
let gateway;
let origin;
let browser;

before(async () => {
  gateway = spawn(join(ROOT, ".venv/bin/python"), ["-m", "console.hosted_gateway"], { cwd: ROOT, env: { ...process.env, PYTHONPATH: join(ROOT, "tests") }, stdio: ["ignore", "pipe", "inherit"] });
  const port = await new Promise((resolve, reject) => {
    gateway.stdout.once("data", (text) => resolve(Number(text)));
    gateway.once("exit", (code) => reject(new Error(`the gateway ended: ${code}`)));
  });
  origin = `http://127.0.0.1:${port}`;
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu"] });
});
after(async () => {
  await browser?.close();
  gateway?.kill("SIGTERM");
});

/** A browser whose identity provider knows `name` and grants `scope`. */
async function person(name, scope, { tokens = {} } = {}) {
  const page = await (await browser.newContext()).newPage();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(error.message));
  page.on("console", (message) => { if (message.type() === "error" && !message.text().includes("Failed to load resource")) page.faults.push(message.text()); });
  page.signIns = 0;
  let challenge = null;
  await page.route("https://login.example.org/oauth2/authorize**", async (route) => {
    const words = new URL(route.request().url()).searchParams;
    assert.equal(words.get("client_id"), "the-client");
    assert.equal(words.get("code_challenge_method"), "S256");
    challenge = words.get("code_challenge");
    page.signIns += 1;
    const back = new URL(words.get("redirect_uri"));
    back.searchParams.set("code", "the-code");
    back.searchParams.set("state", tokens.state ?? words.get("state"));
    await route.fulfill({ status: 302, headers: { location: back.href } });
  });
  await page.route("https://login.example.org/oauth2/token", async (route) => {
    const words = new URLSearchParams(route.request().postData());
    assert.equal(createHash("sha256").update(words.get("code_verifier")).digest("base64url"), challenge);
    await route.fulfill({ json: { access_token: `token-of-${name}:${scope}`, expires_in: 300 }, headers: { "access-control-allow-origin": origin } });
  });
  return page;
}

test("a person signs in, invokes, and sees the run change without a stream", async () => {
  const page = await person("ana", ALL);
  await page.goto(`${origin}/tasks?q=y`);
  await page.getByRole("link", { name: "Invoke y" }).click();
  assert.equal(page.signIns, 1);
  await page.getByText("as ana").waitFor();
  await page.getByText("Would run 2 tasks").waitFor();
  await page.locator("[data-send] button.primary:not([aria-disabled=true])").click();
  await page.getByRole("heading", { name: "y", exact: true }).waitFor();
  await page.getByText("live (asked every few seconds)").waitFor();
  const runId = new URL(page.url()).pathname.split("/")[2];
  for (const task of ["x", "y"]) {
    await fetch(`${origin}/test/report?run=${runId}&task=${task}&state=completed`, { method: "POST" });
  }
  await page.getByText("y completed.").waitFor();
  assert.equal(page.signIns, 1);
  await page.reload();
  await page.getByText("y completed.").waitFor();
  assert.equal(page.signIns, 1);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("what a token does not allow is said by the button", async () => {
  const page = await person("bob", "openid cordyna/look");
  await page.goto(`${origin}/invoke/y`);
  await page.getByText("Would run 2 tasks").waitFor();
  const button = page.getByRole("button", { name: "Invoke", exact: true });
  await page.locator("[data-send] button[title*='policy']").waitFor();
  assert.equal(await button.getAttribute("aria-disabled"), "true");
  await page.goto(`${origin}/crons`);
  await page.getByRole("heading", { name: "Crons" }).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("an answer that this tab did not ask for does not sign in", async () => {
  const page = await person("eve", ALL, { tokens: { state: "of another tab" } });
  await page.goto(`${origin}/runs`);
  await page.getByText("You are not signed in.").waitFor();
  await page.getByText("this tab did not ask to sign in").waitFor();
  await page.context().close();
});
