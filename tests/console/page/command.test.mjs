// Words of commands that are shown to be copied: an address may hold any text.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { invokePath, paramsLine, quoted } from "../../../console/src/cordyna_console/page/app/model/command.js";

test("a plain word stays as it is", () => {
  for (const word of ["24h", "2026-11-28T12:00:00Z", "team.load", "a/b@c+d"]) assert.equal(quoted(word), word);
});

test("what a shell would read otherwise is in quotes", () => {
  assert.equal(quoted("1h; rm -r x"), "'1h; rm -r x'");
  assert.equal(quoted("it's $HOME"), "'it'\\''s $HOME'");
  assert.equal(quoted(""), "''");
  assert.equal(quoted("a\nb"), "'a\nb'");
});

test("a shell reads each character of a quoted word as it is", () => {
  const characters = Array.from({ length: 126 }, (_, code) => String.fromCharCode(code + 1));
  for (const text of [...characters.map((one) => `a${one}b`), characters.join(""), "é ü"]) {
    assert.equal(execFileSync("sh", ["-c", `printf %s ${quoted(text)}`], { encoding: "utf8" }), text);
  }
});

test("the form that invokes a task again has the params of the run, text as it is and JSON else", () => {
  assert.equal(invokePath("team.load"), "/invoke/team.load");
  assert.equal(invokePath("a/b?c"), "/invoke/a%2Fb%3Fc");
  const query = new URL(invokePath("x", { day: "a b&c", top: 3, who: ["é"] }), "http://127.0.0.1").searchParams;
  assert.deepEqual(Object.fromEntries(query), { day: "a b&c", top: "3", who: '["é"]' });
});

test("params are one line, text as it is and JSON else; a long line is cut", () => {
  assert.equal(paramsLine({}), "");
  assert.equal(paramsLine({ day: "2026-11-28", top: 3, who: ["é"] }), 'day=2026-11-28 top=3 who=["é"]');
  assert.equal(paramsLine({ text: "x".repeat(99) }, 20), `text=${"x".repeat(14)}…`);
});
