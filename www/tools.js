// What a model can do as tools for agents: function calling, and the browser's own agent. Types: tools.d.ts.

export { canRegisterTools, registerTools } from "./lib/agents/register.js";
export { tools } from "./lib/agents/tools.js";
