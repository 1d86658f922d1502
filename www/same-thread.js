// obscura without a worker of its own, for threads in which none can be started, such as an
// extension's service worker: the engine runs in the thread that imports this, one model at a time.

import "./lib/engine/calls.js";
import { port } from "./lib/engine/port.js";
import { workers } from "./lib/engine/workers.js";

workers.start = () => port.connect();

export * from "./obscura.js";
