/**
 * A model:
 * - a name on the hub, such as `"Salesforce/blip-image-captioning-base"`, or the address of its page there; with a folder
 *   behind it one part of a pipeline: `"owner/name/text_encoder_2"`;
 * - the address of one file (`.gguf`, `.safetensors`, `.bin`, `.pth`, `.pt`, `.ckpt`), or of a folder in Hugging Face
 *   layout. A folder's relative address begins with `./` or ends with `/`, else it is a name on the hub;
 * - a `File` or `Blob`, or the files of a folder in Hugging Face layout, in any order;
 * - a file's or a folder's handle (`showDirectoryPicker()`);
 * - a file's bytes, which are copied.
 *
 * Such a folder has `config.json`, `preprocessor_config.json` or `processor_config.json`, `tokenizer.json` or the vocabulary
 * files, and `model.safetensors` or `pytorch_model.bin`, whole or in parts with an index. Folders of open_clip,
 * sentence-transformers and diffusers are read as they are: docs/layouts.md. For what was dropped onto a page see
 * `droppedFiles`.
 *
 * A LoRA adapter (`adapter_config.json` and its weights) in place of a model is the model that it was made
 * for, with the adapter merged.
 */
export type ModelSource =
  | string
  | URL
  | Blob
  | Iterable<File>
  | FileSystemFileHandle
  | FileSystemDirectoryHandle
  | ArrayBuffer
  | ArrayBufferView;

/** Where names of models lead. */
export interface Hub {
  /** Default `https://huggingface.co`. */
  host?: string;
  /** Default `{host}/{id}/resolve/{revision}/{file}`. */
  template?: string;
  /** An access token, for gated and private models. It is sent to `host` and nowhere else. */
  token?: string;
}
