// One more thread of the engine, over the same memory: threads.js starts it.
//
// In:  {parts: {module, memory}, port}
// Out: "ready", and to the port "broken" when the engine has stopped in this thread

import * as engine from "./pkg/obscura_wasm_threads.js";

self.onmessage = ({ data: { parts, port } }) => {
  engine.initSync(parts);
  self.postMessage("ready");
  try {
    engine.joinPool();
  } catch (error) {
    console.error(error);
    port.postMessage("broken");
  }
};
