// Spans and moments as people read them. Pure, but for the zone that is chosen in `state.js`.

/** `42 ms`, `4.2 s`, `3 m 12 s`, `2 h 05 m`, `3 d 04 h`: as the command line writes spans. */
export function span(seconds) {
  const s = Math.max(seconds, 0);
  if (s < 0.0995) return `${Math.round(s * 1000)} ms`;
  if (s < 59.95) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`;
  return `${Math.floor(minutes / 1440)} d ${two(Math.floor(minutes / 60) % 24)} h`;
}
function two(number) {
  return String(number).padStart(2, "0");
}

/** `12 s ago`, or `in 12 s`. */
export function ago(ms, now) {
  return ms > now ? `in ${span((ms - now) / 1000)}` : `${span((now - ms) / 1000)} ago`;
}

const formats = new Map();
function formatter(zone) {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-CA", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit", weekday: "short",
    });
    formats.set(zone, format);
  }
  return format;
}
function parts(ms, zone) {
  return Object.fromEntries(formatter(zone).formatToParts(new Date(ms)).map(({ type, value }) => [type, value]));
}

/** `12:03:04`; with weekday or date when it is another day than `now`'s. The zone is printed by who calls. */
export function moment(ms, zone, now) {
  const at = parts(ms, zone);
  const today = parts(now, zone);
  const time = `${at.hour}:${at.minute}:${at.second}`;
  if (at.day === today.day && at.month === today.month && at.year === today.year) return time;
  if (Math.abs(now - ms) < 6 * 86400e3) return `${at.weekday} ${at.hour}:${at.minute}`;
  return `${at.year}-${at.month}-${at.day} ${at.hour}:${at.minute}`;
}

/** `2026-11-28 12:03:04.005 UTC` */
export function exact(ms, zone) {
  const at = parts(ms, zone);
  const milliseconds = String(Math.floor(ms) % 1000).padStart(3, "0");
  return `${at.year}-${at.month}-${at.day} ${at.hour}:${at.minute}:${at.second}.${milliseconds} ${zoneName(zone)}`;
}
export function zoneName(zone) {
  return zone === "UTC" ? "UTC" : zone.split("/").at(-1).replaceAll("_", " ");
}
/** A line with times of today as `dyna` writes them (`09:30:46Z`), in the chosen zone, which it names. */
export function inZone(line, zone, now) {
  if (zone === "UTC") return line;
  return line.replaceAll(/\b(\d\d):(\d\d):(\d\d)Z/g, (_, hour, minute, second) => {
    const day = 86400e3;
    const midnight = Math.floor(now / day) * day;
    const time = ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000;
    // Without a date it is the one of that name that is nearest.
    const [at] = [midnight + time - day, midnight + time, midnight + time + day].sort((a, b) => Math.abs(a - now) - Math.abs(b - now));
    const there = parts(at, zone);
    return `${there.hour}:${there.minute}:${there.second} ${zoneName(zone)}`;
  });
}
/** What a field of a date and a time shows for a moment (`2026-11-28T12:03`), in a zone; empty for any other text. */
export function toField(text, zone) {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) return "";
  const at = parts(ms, zone);
  return `${at.year.padStart(4, "0")}-${at.month}-${at.day}T${at.hour}:${at.minute}`;
}
/** The moment that a field means in a zone, in UTC; a time that occurs twice is the first one, and one that clocks skip the hour after. */
export function fromField(text, zone) {
  const wall = Date.parse(`${text}Z`);
  if (Number.isNaN(wall)) return "";
  const offset = (ms) => Date.parse(`${toField(new Date(ms).toISOString(), zone)}Z`) - Math.floor(ms / 60_000) * 60_000;
  // The offsets of the day before and the day after are the only ones that it can have.
  const found = [wall - offset(wall - 86_400e3), wall - offset(wall + 86_400e3)].sort((a, b) => a - b);
  const ms = found.find((one) => one + offset(one) === wall) ?? found[1];
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
export function parse(text) {
  return text === null || text === undefined ? null : Date.parse(text);
}
