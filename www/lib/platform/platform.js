// What a browser and Node.js do differently when they fetch, and what relative addresses are relative
// to. node.js puts its own in place of these; everything else is the same.

export const platform = {
  fetch: (...request) => fetch(...request),
  base: () => globalThis.document?.baseURI ?? globalThis.location?.href,
};
