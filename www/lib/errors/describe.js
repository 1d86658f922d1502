// Values and addresses as error messages write them.

/** How an error message calls a value of the wrong kind. */
export function describe(value) {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list with ${describe(value[0])} in it`;
  if (typeof value === "object") return `an object of class ${value.constructor?.name ?? "Object"}`;
  return `the ${typeof value} '${shorten(String(value))}'`;
}

/** The beginning of a long text. */
export function shorten(text) {
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}
