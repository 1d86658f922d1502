// Chromium, Firefox and WebKitGTK behind one interface, for tests that all three have to pass. One that is not
// installed is skipped, loudly; in CI it has to be there.

import { existsSync } from "node:fs";
import puppeteer from "puppeteer-core";
import { launchBrowser } from "./surroundings.mjs";
import { findWebKit, launchWebKit } from "./webkit.mjs";

const FIREFOX = process.env.FIREFOX || ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find(existsSync);
const PATIENCE_MS = 120_000;

/**
 * {name: {skip, launch()}}; what is launched has `goto(url)`, `evaluate(function, argument)`, `close()` and, where the
 * browser tells, `requests`, the addresses that pages and their workers have asked for.
 */
export const BROWSERS = {
  Chromium: { skip: false, launch: launchChromium },
  Firefox: { skip: missing(FIREFOX, "firefox-esr"), launch: launchFirefox },
  WebKit: { skip: missing(findWebKit(), "webkit2gtk-driver xvfb"), launch: () => launchWebKit(findWebKit()) },
};

function missing(found, packages) {
  return found || process.env.CI ? false : `SKIP: it is not here (Debian: apt install ${packages})`;
}

async function launchChromium() {
  const browser = await launchBrowser();
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const requests = [];
  page.context().on("request", (request) => requests.push(request.url()));
  return { requests, ...controls(browser, page) };
}

async function launchFirefox() {
  const browser = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, headless: true, protocolTimeout: PATIENCE_MS });
  return controls(browser, await browser.newPage());
}

function controls(browser, page) {
  return { goto: (url) => page.goto(url), evaluate: (act, argument) => page.evaluate(act, argument), close: () => browser.close() };
}
