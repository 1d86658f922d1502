// The page as a picture: every section at phone and desktop width, in both schemes, to be looked at. Here it
// is only checked that nothing is too wide. SCREENSHOTS names a folder in which to keep them.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { WHOLE_TEST, setUp, withPage } from "./setting.mjs";
import { tour } from "./tour.mjs";

let site;
before(async () => (site = await setUp()), WHOLE_TEST);
after(async () => site?.close());

for (const colorScheme of ["light", "dark"]) {
  for (const width of [390, 1280]) {
    test(`every section fits, ${colorScheme}, ${width} pixels wide`, WHOLE_TEST, async () => {
      const options = { colorScheme, viewport: { width, height: 850 }, isMobile: width < 600, hasTouch: width < 600 };
      await withPage(site, { query: { device: "cpu" }, ...options }, async (page) => {
        await tour(page, async (section) => {
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(overflow <= 0, `${section} is ${overflow} pixels too wide`);
          await keep(page, `${section}-${width}-${colorScheme}`);
        });
      });
    });
  }
}

async function keep(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
