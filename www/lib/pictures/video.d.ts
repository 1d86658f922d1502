/**
 * Frames of a video, the first at its start and the others at equal distances, 8 by default: for
 * `answer(frames, question)` and `embed({ frames })`. A `<video>` is paused for it and put back to where
 * it was. The frames take memory until their `close()`. In a page only.
 */
export function sampleFrames(
  video: HTMLVideoElement | Blob | string | URL,
  count?: number,
  options?: { signal?: AbortSignal },
): Promise<ImageBitmap[]>;
