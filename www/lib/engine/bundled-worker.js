// worker.js for bundlers, some of which (Vite 6 and 7) make one file of a worker and take no import() in it. Where
// nothing was bundled, start-worker.js starts worker.js in its place.

import "./calls.js";
