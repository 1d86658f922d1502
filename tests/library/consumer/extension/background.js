// The service worker of an extension, in which no worker can be started: the engine runs in it.

import { load } from "./obscura/same-thread.js";

chrome.runtime.onMessage.addListener((picture, sender, respond) => {
  describe(picture).then(respond, (error) => respond(`${error.code}: ${error.message}`));
  return true; // the response comes later
});

async function describe(picture) {
  const model = await load(null, { device: "cpu", dtype: "f32" });
  const refused = await load().then(() => "no error", ({ message }) => message);
  const { text } = await model.caption(picture);
  await model.dispose();
  const again = await load(null, { device: "cpu", dtype: "f32" });
  const { tokens } = await again.caption(picture);
  await again.dispose();
  return { text, tokens, refused };
}
