// The element <obscura-caption>: a picture with its description under it. Importing this defines it.
// Types: element.d.ts.

import { ObscuraCaption } from "./lib/elements/caption-element.js";

export { ObscuraCaption };

globalThis.customElements?.define("obscura-caption", ObscuraCaption);
