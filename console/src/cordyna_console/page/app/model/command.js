// Commands as a person types them. Pure.

/** A word of a command, in quotes where a shell would read it otherwise. */
export function quoted(text) {
  return /^[\w.:/@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
