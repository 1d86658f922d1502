// www/page/pace.js: what the page says of a download.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "../../www/page/pace.js";

test("amount at once, speed and time left after a second, of the last seconds only", () => {
  const pace = new Pace();
  assert.equal(pace.describe(0, 990e6, 0), "0.0 MB of 990.0 MB");
  assert.equal(pace.describe(5e6, 990e6, 500), "5.0 MB of 990.0 MB");
  assert.equal(pace.describe(10e6, 990e6, 1000), "10.0 MB of 990.0 MB, 10.0 MB/s, 2 min left");
  assert.equal(pace.describe(30e6, 990e6, 2000), "30.0 MB of 990.0 MB, 15.0 MB/s, 2 min left");
  for (let second = 3; second <= 8; second++) pace.describe(30e6 + (second - 2) * 1e5, 990e6, second * 1000);
  assert.equal(pace.describe(30.7e6, 990e6, 9000), "30.7 MB of 990.0 MB, 0.1 MB/s, 2.7 h left");
});

test("a download that stands still has no time left to tell", () => {
  const pace = new Pace();
  pace.describe(1e6, 9e6, 0);
  assert.equal(pace.describe(1e6, 9e6, 3000), "1.0 MB of 9.0 MB");
});
