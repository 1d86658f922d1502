// Two React hooks: a model that lives as long as its component, and what it says about a picture. In StrictMode, which
// mounts twice, the first load is stopped before it has begun to download.

import { load } from "obscura";
import { useEffect, useState } from "react";

/** {model, error}: the model once it is loaded. null as `source` is the one that comes with obscura. */
export function useModel(source = null) {
  const [state, setState] = useState({});
  useEffect(() => {
    const stop = new AbortController();
    const loading = load(source, { signal: stop.signal });
    const show = (next) => !stop.signal.aborted && setState(next);
    loading.then((model) => show({ model }), (error) => show({ error }));
    return () => {
      stop.abort();
      setState({});
      loading.then((model) => model.dispose(), () => {});
    };
  }, [source]);
  return state;
}

/** {text, error}: the caption of a picture, word by word while it is written. */
export function useCaption(model, picture) {
  const [state, setState] = useState({ text: "" });
  useEffect(() => {
    if (!model || !picture) return;
    const stop = new AbortController();
    const show = (next) => !stop.signal.aborted && setState(next);
    const onToken = (piece) => show(({ text = "" }) => ({ text: text + piece }));
    setState({ text: "" });
    model.caption(picture, { signal: stop.signal, onToken }).then(({ text }) => show({ text, isDone: true }), (error) => show({ error }));
    return () => stop.abort();
  }, [model, picture]);
  return state;
}
