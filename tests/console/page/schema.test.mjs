import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldsOf, fieldText, mergedFields, readField } from "../../../console/src/cordyna_console/page/app/model/schema.js";

const only = (property, root = {}) => fieldsOf({ properties: { p: property }, ...root })[0];

test("fields have the kind that pydantic means", () => {
  assert.equal(only({ type: "string" }).kind, "text");
  assert.equal(only({ type: "integer", minimum: 1, maximum: 50 }).hint, "integer, 1 to 50");
  assert.equal(only({ type: "boolean" }).kind, "boolean");
  assert.equal(only({ enum: ["a", 1] }).kind, "choice");
  assert.equal(only({ const: "x" }).kind, "choice");
  assert.equal(only({ type: "array" }).kind, "json");
  assert.equal(only({ anyOf: [{ type: "number" }, { type: "null" }], default: null }).kind, "number");
  assert.equal(only({ anyOf: [{ type: "number" }, { type: "null" }] }).nullable, true);
  assert.equal(only({ anyOf: [{ type: "number" }, { type: "string" }] }).kind, "json");
  assert.equal(only({ $ref: "#/$defs/Day" }, { $defs: { Day: { type: "string", format: "date" } } }).format, "date");
  assert.equal(only({ $ref: "#/$defs/a~1b~0c" }, { $defs: { "a/b~c": { type: "boolean" } } }).kind, "boolean");
  assert.equal(only({ $ref: "#/$defs/Loop" }, { $defs: { Loop: { $ref: "#/$defs/Loop" } } }).kind, "json");
  assert.equal(only({ writeOnly: true, type: "string" }).secret, true);
  assert.deepEqual(fieldsOf(null), []);
});

test("a text becomes the value that it means, or says what is wrong", () => {
  assert.deepEqual(readField(only({ type: "integer" }), "5"), { value: 5 });
  assert.deepEqual(readField(only({ type: "integer" }), "5.5"), { wrong: "not a whole number" });
  assert.deepEqual(readField(only({ type: "number" }), "1e3"), { value: 1000 });
  assert.deepEqual(readField(only({ type: "number" }), "x"), { wrong: "not a number" });
  assert.deepEqual(readField(only({ type: "boolean" }), "false"), { value: false });
  assert.deepEqual(readField(only({ type: "string" }), ""), { left: true });
  assert.deepEqual(readField(only({ type: "string" }), "5"), { value: "5" });
  assert.deepEqual(readField(only({ type: "string" }), "null"), { value: "null" });
  assert.deepEqual(readField(only({ enum: ["a", 1] }), "1"), { value: 1 });
  assert.match(readField(only({ enum: ["a"] }), "b").wrong, /not one of a/);
  assert.deepEqual(readField(only({ type: "object" }), "{\"a\":1}"), { value: { a: 1 } });
  assert.match(readField(only({ type: "object" }), "{").wrong, /^not JSON/);
  assert.deepEqual(readField(only({ anyOf: [{ type: "string" }, { type: "null" }] }), "null"), { value: null });
});

test("a value is shown as the text that means it", () => {
  for (const [property, value] of [[{ type: "integer" }, 5], [{ type: "string" }, "x"], [{ enum: ["a", 1] }, 1], [{ type: "array" }, [1, "a"]]]) {
    const field = only(property);
    assert.deepEqual(readField(field, fieldText(field, value)), { value });
  }
});

test("fields of several tasks are asked once, required ones first", () => {
  const schema = (properties, required = []) => ({ properties, required });
  const merged = mergedFields([
    { task: "a", schema: schema({ day: { type: "string" }, top: { type: "integer" } }) },
    { task: "b", schema: schema({ top: { type: "integer" } }, ["top"]) },
    { task: "c", schema: null },
  ]);
  assert.deepEqual(merged.map(({ name, required, askedBy }) => [name, required, askedBy]), [["top", true, ["a", "b"]], ["day", false, ["a"]]]);
});
