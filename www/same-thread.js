// obscura without a worker of its own, for threads in which none can be started, such as an
// extension's service worker: the engine runs in the thread that imports this, one model at a time.

import { platform } from "./platform.js";
import { port } from "./port.js";
import "./calls.js";

platform.startWorker = () => port.connect();

export * from "./obscura.js";
