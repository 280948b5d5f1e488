import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { inZone, ago, exact, moment, span, zoneName, fromField, toField } from "../../../console/src/cordyna_console/page/app/clock.js";

const durations = JSON.parse(readFileSync(new URL("durations.json", import.meta.url), "utf8"));
const NOON = Date.parse("2026-11-28T12:00:00Z");

test("span writes durations as the command line does", () => {
  for (const [seconds, text] of Object.entries(durations)) assert.equal(span(Number(seconds)), text, seconds);
});

test("moment shows the time today, the weekday this week, else the date", () => {
  assert.equal(moment(NOON, "UTC", NOON), "12:00:00");
  assert.equal(moment(NOON, "Europe/Berlin", NOON), "13:00:00");
  assert.equal(moment(NOON - 86400e3, "UTC", NOON), "Fri 12:00");
  // A weekday is never today's, and never of another week.
  for (let hours = 24; hours < 24 * 9; hours += 1) {
    const shown = moment(NOON - hours * 36e5, "UTC", NOON);
    assert.ok(hours <= 24 * 6 ? !shown.startsWith("Sat") : shown.startsWith("2026-11-"), shown);
  }
  assert.equal(moment(NOON - 30 * 86400e3, "UTC", NOON), "2026-10-29 12:00");
  // Midnight is another day in another zone.
  assert.equal(moment(Date.parse("2026-11-27T23:30:00Z"), "Europe/Berlin", NOON), "00:30:00");
});

test("exact names its zone and milliseconds", () => {
  assert.equal(exact(NOON + 7, "UTC"), "2026-11-28 12:00:00.007 UTC");
  assert.equal(exact(NOON, "America/New_York"), "2026-11-28 07:00:00.000 New York");
  assert.equal(zoneName("UTC"), "UTC");
});

test("ago counts in both directions", () => {
  assert.equal(ago(NOON - 12_000, NOON), "12.0 s ago");
  assert.equal(ago(NOON + 60_000, NOON), "in 1 m 00 s");
  assert.equal(ago(NOON, NOON), "0 ms ago");
});

test("times of a sentence are shown in the chosen zone", () => {
  const now = Date.parse("2026-11-28T23:50:00Z");
  assert.equal(inZone("at 23:30:46Z, 0.1 s after", "Europe/Berlin", now), "at 00:30:46 Berlin, 0.1 s after");
  assert.equal(inZone("it ends at 00:10:00Z (in 20 m)", "Asia/Tokyo", now), "it ends at 09:10:00 Tokyo (in 20 m)");
  assert.equal(inZone("at 23:30:46Z", "UTC", now), "at 23:30:46Z");
  assert.equal(inZone("row 12:30 of 10", "Europe/Berlin", now), "row 12:30 of 10");
});

test("a time without a date is the nearest one, also where clocks change", () => {
  const noon = Date.parse("2026-10-25T12:00:00Z");
  assert.equal(inZone("at 11:00:00Z", "Europe/Berlin", noon), "at 12:00:00 Berlin");
  assert.equal(inZone("at 00:30:00Z", "Europe/Berlin", noon), "at 02:30:00 Berlin");
  assert.equal(inZone("at 23:00:00Z", "Europe/Berlin", noon - 86400e3), "at 01:00:00 Berlin");
});

test("a field of a date and a time is of the chosen zone", () => {
  assert.equal(toField("2026-11-28T12:03:59Z", "Europe/Berlin"), "2026-11-28T13:03");
  assert.equal(toField("", "UTC"), "");
  assert.equal(fromField("2026-11-28T13:03", "Europe/Berlin"), "2026-11-28T12:03:00Z");
  assert.equal(fromField("2026-11-28T13:03", "UTC"), "2026-11-28T13:03:00Z");
  assert.equal(fromField("", "UTC"), "");
});

test("a time that clocks repeat is the first one, and one that they skip is an hour later", () => {
  assert.equal(fromField("2026-10-25T02:30", "Europe/Berlin"), "2026-10-25T00:30:00Z");
  assert.equal(fromField("2026-03-29T02:30", "Europe/Berlin"), "2026-03-29T01:30:00Z");
  for (const zone of ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]) {
    for (let hour = 0; hour < 24 * 366; hour += 7) {
      const text = new Date(Date.UTC(2026, 0, 1, hour)).toISOString();
      const again = fromField(toField(text, zone), zone);
      // Where a time occurs twice, the field cannot tell which of them it was.
      assert.equal(toField(again, zone), toField(text, zone), `${text} ${zone}`);
      assert.ok(Date.parse(text) - Date.parse(again) <= 36e5, `${text} ${zone}`);
    }
  }
});
