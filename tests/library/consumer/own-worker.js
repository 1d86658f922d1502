// Somebody's own worker, which uses obscura inside.

import { load } from "obscura";

self.onmessage = async ({ data: { picture, options } }) => {
  try {
    const model = await load(null, options);
    const { text } = await model.caption(picture);
    await model.dispose();
    self.postMessage(text);
  } catch (error) {
    self.postMessage(`${error.code}: ${error.message}`);
  }
};
