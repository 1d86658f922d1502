// A Svelte action: <img src={address} use:captioned={model}> writes what the model sees into the picture's `alt`.
// `model` is a promise, such as load() returns, or a loaded model. A change of `src` begins anew.

export function captioned(image, model) {
  let stop = new AbortController();
  async function describe() {
    stop.abort();
    stop = new AbortController();
    const { signal } = stop;
    try {
      image.alt = (await (await model).caption(image, { signal })).text;
      image.dispatchEvent(new CustomEvent("captioned", { detail: image.alt }));
    } catch (error) {
      if (!signal.aborted) image.dispatchEvent(new CustomEvent("captionfailed", { detail: error }));
    }
  }
  const observer = new MutationObserver(describe);
  observer.observe(image, { attributeFilter: ["src"] });
  describe();
  return { destroy: () => (observer.disconnect(), stop.abort()) };
}
