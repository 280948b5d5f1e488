// Commands as a person types them, and the address of the form that does the same. Pure.

/** A word of a command, in quotes where a shell would read it otherwise. */
export function quoted(text) {
  return /^[\w.:/@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The address of the form that invokes a task, with these params filled in. */
export function invokePath(task, params = {}) {
  const query = Object.entries(params).map(([name, value]) =>
    `${encodeURIComponent(name)}=${encodeURIComponent(typeof value === "string" ? value : JSON.stringify(value))}`).join("&");
  return `/invoke/${encodeURIComponent(task)}${query ? `?${query}` : ""}`;
}

/** Parameters on one line, `day=monday top=5`; a long line is cut. */
export function paramsLine(params, most = 80) {
  const line = Object.entries(params).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ");
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}
