// A form from a JSON Schema: the part of it that pydantic makes of a Python signature. Pure.

/** The fields of an object schema; null where it cannot be shown as fields. */
export function fieldsOf(schema) {
  if (schema === null || schema === undefined) return [];
  const properties = schema.properties ?? {};
  const required = new Set(schema.required ?? []);
  return Object.entries(properties).map(([name, raw]) => fieldOf(name, resolve(raw, schema), required.has(name)));
}

function resolve(raw, root, depth = 0) {
  if (depth > 20 || typeof raw !== "object" || raw === null) return {};
  if (typeof raw.$ref === "string" && raw.$ref.startsWith("#/")) {
    const target = raw.$ref.slice(2).split("/").reduce((at, key) => at?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], root);
    return { ...resolve(target, root, depth + 1), ...without(raw, "$ref") };
  }
  const options = raw.anyOf ?? raw.oneOf;
  if (Array.isArray(options)) {
    const nullable = options.some((option) => option.type === "null");
    const rest = options.filter((option) => option.type !== "null");
    if (rest.length === 1) return { ...without(raw, "anyOf", "oneOf"), ...resolve(rest[0], root, depth + 1), nullable };
    return { ...raw, nullable, type: undefined };
  }
  return raw;
}
function without(object, ...keys) {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}

const KINDS = { string: "text", integer: "integer", number: "number", boolean: "boolean" };

function fieldOf(name, schema, required) {
  const choices = schema.enum ?? (schema.const !== undefined ? [schema.const] : null);
  const kind = choices !== null ? "choice" : KINDS[schema.type] ?? "json";
  return {
    name, kind, required, choices,
    nullable: schema.nullable === true,
    secret: schema.writeOnly === true,
    default: schema.default,
    description: schema.description ?? "",
    hint: hintOf(schema),
    format: schema.format ?? null,
    pattern: schema.pattern ?? null,
    minimum: schema.minimum ?? schema.exclusiveMinimum,
    maximum: schema.maximum ?? schema.exclusiveMaximum,
  };
}

function hintOf(schema) {
  const low = schema.minimum ?? schema.exclusiveMinimum;
  const high = schema.maximum ?? schema.exclusiveMaximum;
  const words = [schema.format ?? schema.type ?? (schema.enum ? "one of these" : "JSON")];
  if (low !== undefined && high !== undefined) words.push(`${low} to ${high}`);
  else if (low !== undefined) words.push(`at least ${low}`);
  else if (high !== undefined) words.push(`at most ${high}`);
  if (schema.minLength !== undefined) words.push(`at least ${schema.minLength} characters`);
  if (schema.maxLength !== undefined) words.push(`at most ${schema.maxLength} characters`);
  if (schema.pattern !== undefined) words.push(`matches ${schema.pattern}`);
  if (schema.default !== undefined) words.push(`default ${JSON.stringify(schema.default)}`);
  return words.join(", ");
}

/** The value that a text in a field means: { value } or { wrong }; { left: true } where it is left out. */
export function readField(field, text) {
  if (text === "" || text === undefined) return field.kind === "text" && field.required ? { value: "" } : { left: true };
  if (field.nullable && text === "null") return { value: null };
  switch (field.kind) {
    case "text": return { value: text };
    case "boolean": return { value: text === "true" };
    case "choice": {
      const choice = field.choices.find((one) => choiceText(one) === text);
      return choice === undefined ? { wrong: `not one of ${field.choices.map(choiceText).join(", ")}` } : { value: choice };
    }
    case "integer": return /^[+-]?\d+$/.test(text.trim()) ? { value: Number(text) } : { wrong: "not a whole number" };
    case "number": return text.trim() !== "" && Number.isFinite(Number(text)) ? { value: Number(text) } : { wrong: "not a number" };
    default:
      try {
        return { value: JSON.parse(text) };
      } catch (wrong) {
        return { wrong: `not JSON: ${wrong.message}` };
      }
  }
}
export function choiceText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}
/** The text that shows a value in a field. */
export function fieldText(field, value) {
  if (value === undefined) return "";
  return field.kind === "json" || typeof value !== "string" ? JSON.stringify(value) : value;
}

/** The fields of all tasks that an invocation would run, each once, with who asks for it. */
export function mergedFields(tasks) {
  const merged = new Map();
  for (const { task, schema } of tasks) {
    for (const field of fieldsOf(schema)) {
      const known = merged.get(field.name);
      if (known === undefined) merged.set(field.name, { ...field, askedBy: [task] });
      else {
        known.askedBy.push(task);
        known.required ||= field.required;
      }
    }
  }
  return [...merged.values()].sort((a, b) => Number(b.required) - Number(a.required));
}
