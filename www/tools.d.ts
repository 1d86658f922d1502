import type { Album, Model, PictureSource } from "./obscura.js";

/** A tool in the form that function calling takes. */
export interface FunctionTool {
  type: "function";
  function: {
    name: "caption" | "answer" | "classify" | "match" | "search";
    description: string;
    /** A JSON Schema of the arguments. */
    parameters: Record<string, unknown>;
  };
}

/** What a call gives: `text` and `score`, `labels`, `matches` or `found`, as the model's own call does. */
export type ToolResult = Record<string, unknown>;

/** The tools, to be passed to a language model as they are, and the way to run one. */
export interface Tools extends Array<FunctionTool> {
  /**
   * Runs a tool with the arguments that a language model gave, an object or its JSON. What is wrong with them is
   * said by an `ObscuraError` whose message is meant for the language model, too.
   */
  call(name: string, given: object | string | null | undefined, options?: { signal?: AbortSignal }): Promise<ToolResult>;
}

export interface ToolsOptions {
  /**
   * The picture of a path or name that the language model writes; of `undefined`, where it gives neither path nor
   * `data`, the one that is meant anyhow. Nothing is opened without this function.
   */
  open?(path: string | undefined): PictureSource | null | undefined | Promise<PictureSource | null | undefined>;
  /** With it there is the tool `search`. */
  album?: Album;
}

/**
 * What this model can do, as tools for a language model: those of `caption`, `answer`, `classify`, `match` and
 * `search` that it has the heads for.
 *
 * ```js
 * import { tools } from "obscura/tools";
 * const mine = tools(model, { open: (name) => files.get(name) });
 * const reply = await client.chat.completions.create({ model: "…", messages, tools: mine });
 * for (const { function: { name, arguments: given } } of reply.choices[0].message.tool_calls) await mine.call(name, given);
 * ```
 */
export function tools(model: Model, options?: ToolsOptions): Tools;

/** Whether this browser has an agent that pages can offer tools to (`document.modelContext`, WebMCP). */
export function canRegisterTools(): boolean;

/**
 * Offers tools to the browser's own agent until `signal` aborts, which also ends the calls that are running.
 * Resolves with whether the browser took them; `false` where it has no such agent.
 */
export function registerTools(tools: Tools, options?: { signal?: AbortSignal }): Promise<boolean>;
