// Arguments as a language model writes them, against a tool's schema: a refusal says what to write instead, so that
// the model can. The schemas take no more of JSON Schema than this knows.

import { describe } from "../errors/describe.js";
import { ObscuraError } from "../errors/error.js";

/** @param {{name: string, inputSchema: object}} tool */
export function checkArguments({ name: tool, inputSchema }, given) {
  const refuse = (words) => {
    throw new ObscuraError("bad_input", `${tool}: ${words}`);
  };
  if (given === null || typeof given !== "object" || Array.isArray(given)) refuse(`the arguments are an object, not ${describe(given)}`);
  const { properties, required } = inputSchema;
  for (const [name, value] of Object.entries(given)) {
    if (!(name in properties)) refuse(`there is no argument '${name}'; there are ${Object.keys(properties).join(", ")}`);
    const expected = complaint(properties[name], value);
    if (expected) refuse(`${name} is ${expected}, not ${describe(value)}`);
  }
  const missing = required.find((name) => !(name in given));
  if (missing) refuse(`the argument '${missing}' is missing`);
}

/** What was expected instead; null if nothing. */
function complaint(schema, value) {
  if (schema.type === "string") return typeof value === "string" && value.length >= (schema.minLength ?? 0) ? null : "a text";
  if (schema.type === "integer") {
    const { minimum, maximum = Infinity } = schema;
    const fits = Number.isInteger(value) && value >= minimum && value <= maximum;
    return fits ? null : `a whole number, ${minimum} ${maximum === Infinity ? "or more" : `to ${maximum}`}`;
  }
  const isList = Array.isArray(value) && value.length >= schema.minItems && value.every((item) => typeof item === "string");
  return isList ? null : "a list of at least one text";
}
