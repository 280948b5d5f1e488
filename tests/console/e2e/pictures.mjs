// Pictures of the pages for docs/images/console, with frozen words: a run that fails, and one that runs.
// Run by `make console-pictures`, after a change of the page; look at them before they are kept.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { showNeutralHome } from "../../../site/neutral_home.mjs";
import { ROOT, Stage } from "./stage.mjs";

const OUT = process.argv[2] ?? join(ROOT, "docs/images/console");
const KEPT = new Set(["runs", "run", "timeline", "logs", "graph", "invoke", "live", "crons", "incidents"]);
mkdirSync(OUT, { recursive: true });
const stage = await Stage.open({ byEnvironment: true });
try {
  stage.repair();
  await stage.until(await stage.invoke("report", { day: "sunday" }), ["completed"]);
  stage.damage();
  const failed = await stage.invoke("report", { day: "monday" });
  await stage.until(await stage.invoke("forecast"), ["error"]);
  await stage.until(failed, ["error"]);
  const cancelled = await stage.invoke("slow", { seconds: 300 });
  await stage.api(`/runs/${cancelled}/cancel`, {});
  const live = await stage.invoke("slow", { seconds: 300 });
  const { incident } = await stage.incident("raw");
  await stage.ticked("order-pulse");
  const pages = [
    ["runs", "/runs"], ["run", `/runs/${failed}/graph?task=raw`], ["timeline", `/runs/${failed}/timeline`], ["tasks-of-a-run", `/runs/${failed}/tasks`],
    ["logs", `/runs/${failed}/logs?q=part+5`], ["events", `/runs/${failed}/events`], ["task-run", `/runs/${failed}/tasks/raw`], ["live", `/runs/${live}/timeline`],
    ["tasks", "/tasks"], ["task", "/tasks/report"], ["graph", "/graph?task=raw"], ["servers", "/servers"], ["server", "/servers/stock"], ["invoke", "/invoke/report?top=99"],
    ["rehearse", "/rehearse"], ["crons", "/crons"], ["incidents", "/incidents"], ["incident", `/incidents/${incident}`], ["dead-letters", "/dead-letters"], ["doctor", "/doctor"],
    ["events-of-the-bus", "/events"], ["params", `/runs/${failed}/params`], ["cost", `/runs/${failed}/cost`], ["replay", `/runs/${failed}/replay`], ["cancelled", `/runs/${cancelled}/graph`],
    ["nothing", "/runs?q=nothing"], ["no-such-run", `/runs/${"0".repeat(26)}`],
  ];
  for (const [scheme, width, height] of [["light", 1280, 800], ["dark", 1280, 800], ["light", 360, 740]]) {
    const page = await stage.page({ colorScheme: scheme, viewport: { width, height } });
    await showNeutralHome(page);
    for (const [name, path] of pages) {
      const kept = KEPT.has(name) && scheme === "light" && width > 1000;
      if (!kept && !process.argv[2]) continue;
      await page.goto(stage.origin + path);
      await page.locator("main > *").first().waitFor();
      await page.waitForTimeout(900);
      await page.screenshot({ path: join(OUT, `${name}${scheme === "dark" ? "-dark" : ""}${width < 500 ? "-phone" : ""}.png`) });
    }
    await page.context().close();
  }
} finally {
  await stage.close();
}
