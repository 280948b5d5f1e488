// A picture of a page in Chromium, when its graph is drawn: node site/screenshot.mjs ADDRESS FILE
import { chromium } from "playwright-core";
import { showNeutralHome } from "./neutral_home.mjs";

const [address, file] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await showNeutralHome(page);
  await page.goto(address);
  await page.getByText("KeyError").first().waitFor();
  await page.waitForTimeout(1500);
  await page.screenshot({ path: file });
} finally {
  await browser.close();
}
