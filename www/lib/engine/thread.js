// One more thread of the engine, over the same memory: team.js starts it.
//
// In:  {module, memory}
// Out: "ready", and "broken" when the engine has stopped in this thread

import * as engine from "../../pkg/obscura_wasm_threads.js";

self.onmessage = ({ data: parts }) => {
  engine.initSync(parts);
  self.postMessage("ready");
  try {
    engine.joinPool();
  } catch (error) {
    console.error(error);
    self.postMessage("broken");
  }
};
