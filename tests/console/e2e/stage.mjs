// A stage: a real `dyna dev` with three servers in a new home, and a Chromium to look at its page.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = dirname(fileURLToPath(import.meta.url));
export const ROOT = join(here, "../../..");
const DYNA = join(ROOT, ".venv/bin/dyna");
const SERVERS = ["sales", "stock", "reports"].map((name) => join(here, "../servers", `${name}.py`));
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const UP_WITHIN_MS = 60_000;

export class Stage {
  static async open({ servers = SERVERS, env = {}, byEnvironment = false } = {}) {
    const stage = new Stage();
    stage.folder = mkdtempSync(join(tmpdir(), "cordyna-console-"));
    stage.home = join(stage.folder, "home");
    stage.repaired = join(stage.folder, "repaired");
    stage.servers = servers;
    stage.env = { ...process.env, REPAIRED: stage.repaired, DEMO_PACE: "0.5", CORDYNA_SERVERS: "", ...env };
    if (byEnvironment) Object.assign(stage.env, { CORDYNA_HOME: stage.home, CORDYNA_SERVERS: servers.join(",") });
    stage.byEnvironment = byEnvironment;
    await stage.start();
    return stage;
  }

  command(...words) {
    if (this.byEnvironment) return words;
    return ["--home", this.home, ...this.servers.flatMap((server) => ["--server", server]), ...words];
  }

  /** Start `dyna dev` and wait for its line on stderr. `port`: the same as before, after a restart. */
  async start(port = null) {
    const words = this.command("dev", ...(port === null ? [] : ["--port", String(port)]));
    this.process = spawn(DYNA, words, { cwd: this.folder, env: this.env, stdio: ["ignore", "ignore", "pipe"] });
    this.stderr = "";
    this.process.stderr.setEncoding("utf8");
    const line = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`dyna dev is not up: ${this.stderr}`)), UP_WITHIN_MS);
      this.process.stderr.on("data", (text) => {
        this.stderr += text;
        const found = /^console {2}(http:\S+)/m.exec(this.stderr);
        if (found) { clearTimeout(timer); resolve(found[1]); }
      });
      this.process.on("exit", (code) => { clearTimeout(timer); reject(new Error(`dyna dev ended (${code}): ${this.stderr}`)); });
    });
    this.address = line;
    this.origin = new URL(line).origin;
    this.port = Number(new URL(line).port);
  }

  async stop(signal = "SIGINT") {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = new Promise((resolve) => { this.process.once("exit", resolve); });
    this.process.kill(signal);
    await ended;
  }

  async close() {
    await this.browser?.close();
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  repair() {
    writeFileSync(this.repaired, "");
  }
  damage() {
    rmSync(this.repaired, { force: true });
  }

  get token() {
    return JSON.parse(readFileSync(join(this.home, "console.json"), "utf8")).token;
  }

  /** Ask the API as a program does. */
  async api(path, body) {
    const headers = { Authorization: `Bearer ${this.token}` };
    if (body !== undefined) Object.assign(headers, { "X-Cordyna": "1", "Content-Type": "application/json" });
    const answer = await fetch(`${this.origin}/api/v1${path}`, {
      method: body === undefined ? "GET" : "POST", headers, body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  async invoke(task, params = {}) {
    return (await this.api("/runs", { task, params })).run_id;
  }

  async until(runId, states, withinMs = 60_000) {
    const end = Date.now() + withinMs;
    for (;;) {
      const run = await this.api(`/runs/${runId}`);
      if (states.includes(run.state)) return run;
      if (Date.now() > end) throw new Error(`run ${runId} is ${run.state}, not ${states}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** The open incident of a task: it may follow the end of the run. */
  async incident(task, withinMs = 60_000) {
    const end = Date.now() + withinMs;
    for (;;) {
      const found = (await this.api("/incidents")).rows.find((row) => row.task === task);
      if (found !== undefined) return found;
      if (Date.now() > end) throw new Error(`task ${task} has no open incident`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** Wait until the cron of a task has fired: once a minute. */
  async ticked(task, withinMs = 90_000) {
    const end = Date.now() + withinMs;
    while ((await this.api(`/runs?task=${task}`)).rows.every((run) => run.by !== "cron" && run.scheduled_at === null)) {
      if (Date.now() > end) throw new Error(`the cron of ${task} has not fired`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  async chromium() {
    if (this.browser === undefined) {
      if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing: apt-get install chromium, or set CHROMIUM`);
      this.browser = await chromium.launch({
        executablePath: CHROMIUM,
        args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-background-networking", "--disable-component-update", "--disable-sync"],
      });
    }
    return this.browser;
  }

  /** A page of a browser that has opened the console; it records what went wrong, and every request. */
  async page(options = {}) {
    const browser = await this.chromium();
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, timezoneId: "Europe/Berlin", ...options });
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: this.origin });
    const page = await context.newPage();
    page.faults = [];
    page.asked = [];
    page.on("pageerror", (error) => page.faults.push(`${error.message} ${error.stack?.split("\n")[1] ?? ""}`));
    page.on("console", (message) => { if (message.type() === "error" && !isNetwork(message.text())) page.faults.push(message.text()); });
    page.on("request", (request) => page.asked.push(request.url()));
    await page.goto(await this.openingAddress());
    return page;
  }

  async openingAddress(to = "/runs") {
    const { code } = await this.api("/openings", {});
    return `${this.origin}/open?code=${code}&to=${encodeURIComponent(to)}`;
  }
}

function isNetwork(text) {
  return text.includes("Failed to load resource") || text.includes("net::ERR");
}
