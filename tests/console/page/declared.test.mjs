// What the page of a task says of its declaration.
import assert from "node:assert/strict";
import { test } from "node:test";
import { declaredRows } from "../../../console/src/cordyna_console/page/app/model/declared.js";

const USUAL = {
  due: null, retries: 0, retry_delay_s: 5, retry_backoff: 2, retry_max_delay_s: 600,
  ack_timeout_s: 10, start_timeout_s: 600, run_timeout_s: 1800,
  consumers: null, invokers: null, deprecated: null, until: null,
};

test("a task that declares nothing more has its retries and clocks", () => {
  assert.deepEqual(declaredRows(USUAL), [
    ["Retries", "none"],
    ["Clocks", "acknowledge 10.0 s, start 10 m 00 s, run 30 m 00 s"],
  ]);
});

test("what a task declares is shown, with the empty list apart from none", () => {
  const rows = Object.fromEntries(declaredRows({
    ...USUAL, due: "07:00", retries: 3, consumers: ["billing", "reporting.*"], invokers: [], deprecated: "use lines", until: "2027-03-01",
  }));
  assert.equal(rows.Due, "07:00");
  assert.equal(rows.Retries, "3, after 5.0 s, times 2 up to 10 m 00 s");
  assert.equal(rows["May depend on it"], "billing, reporting.*");
  assert.equal(rows["May invoke it"], "its own server only");
  assert.equal(rows.Deprecated, "until 2027-03-01: use lines");
});

test("a single retry, and a pause that stays the same, have no longest pause", () => {
  const retries = (fields) => Object.fromEntries(declaredRows({ ...USUAL, ...fields })).Retries;
  assert.equal(retries({ retries: 1 }), "1, after 5.0 s");
  assert.equal(retries({ retries: 4, retry_backoff: 1 }), "4, after 5.0 s");
});
