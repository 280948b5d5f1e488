// Names on a canvas that has no room for the whole: what differs is often at their end.

/** The name, its middle left out where it does not fit. `c` measures text: a canvas's context. */
export function shortened(c, name, room) {
  if (c.measureText(name).width <= room) return name;
  const fits = (count) => c.measureText(cut(name, count)).width <= room;
  let keep = Math.max(Math.floor((room / c.measureText(name).width) * name.length) - 1, 2);
  // The estimate is of the mean character: what is kept may be narrower, or wider.
  while (keep < name.length - 2 && fits(keep + 1)) keep += 1;
  while (keep > 2 && !fits(keep)) keep -= 1;
  return cut(name, keep);
}
function cut(name, keep) {
  const head = Math.ceil(keep * 0.6);
  return `${name.slice(0, head)}…${name.slice(name.length - (keep - head))}`;
}
