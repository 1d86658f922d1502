// What the models' worker starts with: waits for calls.js, which does the work, and fails aloud without
// it. Firefox does not always tell of a file that a worker imports and that is missing; of one that is
// imported like this it does.

const early = []; // messages from before

self.onmessage = (event) => early.push(event);

import("./calls.js").then(
  () => early.forEach((event) => self.onmessage(event)),
  ({ message }) => setTimeout(() => { throw new Error(`calls.js or a file that it imports could not be loaded (${message})`); }), // where the page hears of it
);
