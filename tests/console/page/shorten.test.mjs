import assert from "node:assert/strict";
import { test } from "node:test";
import { shortened } from "../../../console/src/cordyna_console/page/app/draw/shorten.js";

/** A canvas on which every character is 10 wide. */
const canvas = { measureText: (text) => ({ width: 10 * text.length }) };

test("a name that fits is whole", () => {
  assert.equal(shortened(canvas, "report", 60), "report");
});

test("names that differ at their end stay apart", () => {
  const names = ["warehouse.load_orders_daily", "warehouse.load_orders_hourly"];
  assert.deepEqual(names.map((name) => shortened(canvas, name, 120)), ["warehou…aily", "warehou…urly"]);
});

test("a shortened name fits, down to a beginning and an end", () => {
  for (let room = 30; room < 270; room += 7) {
    const text = shortened(canvas, "warehouse.load_orders_daily", room);
    assert.ok(10 * text.length <= room, `${text} in ${room}`);
    assert.match(text, /^w.*…/);
  }
});

test("a shortened name is as long as its room allows", () => {
  // Its middle is wide, so that an estimate by the mean character leaves room.
  const wide = { measureText: (text) => ({ width: [...text].reduce((sum, one) => sum + (one === "m" ? 30 : 10), 0) }) };
  assert.equal(shortened(wide, "abcdefmmmmmmmmghij", 110), "abcdef…ghij");
});

test("a shortened name fits, wherever it is wide", () => {
  const wide = { measureText: (text) => ({ width: [...text].reduce((sum, one) => sum + (one === "m" ? 30 : 10), 0) }) };
  for (const name of ["mmmmmmabcdefghijkl", "abcdefghijklmmmmmm", "mmmabcdefghijklmmm"]) {
    for (let room = 80; room < 270; room += 7) {
      const text = shortened(wide, name, room);
      assert.ok(wide.measureText(text).width <= room, `${text} in ${room}`);
    }
  }
});
