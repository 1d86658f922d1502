"use client";
// A component that uses the hooks of examples/react: it writes down what it has seen for the test.

import { useEffect } from "react";
import { useCaption, useModel } from "./obscura.js";

export function Picture({ src }) {
  const { model, error } = useModel();
  const caption = useCaption(model, src);
  const failure = error ?? caption.error;
  useEffect(() => void (globalThis.mounts = (globalThis.mounts ?? 0) + 1), []);
  useEffect(() => {
    if (caption.isDone) globalThis.found = caption.text;
    if (failure) globalThis.found = `${failure.code}: ${failure.message}`;
  }, [caption, failure]);
  return <figure><img src={src} alt={caption.text} /><figcaption>{caption.text}</figcaption></figure>;
}
