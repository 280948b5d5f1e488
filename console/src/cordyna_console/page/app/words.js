// Words and signs of states. The table is the one of `cordyna_cli.wording`; a test compares them.
// [state, reason]: sign, word, urgency (what a person on call looks for first has the lowest).
export const MARKS = [
  ["pending", null, "·", "waiting", 7],
  ["pending", "waiting", "·", "waiting", 7],
  ["pending", "blocked", "⊘", "blocked", 5],
  ["pending", "dispatched", "→", "dispatched", 3],
  ["pending", "retry_wait", "↻", "retry wait", 1],
  ["queued", null, "◔", "queued", 4],
  ["started", null, "●", "started", 2],
  ["completed", null, "✓", "completed", 8],
  ["completed", "reused", "≡", "reused", 8],
  ["error", null, "✗", "error", 0],
  ["error", "cancelled", "⊗", "cancelled", 6],
];
const byKey = new Map(MARKS.map(([state, reason, , word]) => [`${state}/${reason ?? ""}`, word]));
/** @type {Map<string, { sign: string, word: string, urgency: number }>} */
const byWord = new Map(MARKS.map(([, , sign, word, urgency]) => /** @type {any} */ ([word, { sign, word, urgency }])));

/** Words in the order in which a person on call looks for them. */
export const WORDS = [...byWord.values()].sort((a, b) => a.urgency - b.urgency).map((mark) => mark.word);

/** The word of a state and a reason; a reason without a word of its own has its state's. */
export function wordOf(state, reason) {
  return byKey.get(`${state}/${reason ?? ""}`) ?? byKey.get(`${state}/`) ?? state;
}
export function signOf(word) {
  return byWord.get(word)?.sign ?? RUN_SIGNS[word] ?? "?";
}
export function urgencyOf(word) {
  return byWord.get(word)?.urgency ?? OTHER_URGENCY[word] ?? 9;
}
const OTHER_URGENCY = { unresolved: 0, declared: 8 };
export const RUN_SIGNS = {
  running: "●", failing: "✗", completed: "✓", error: "✗", cancelled: "⊗",
  declared: "", unresolved: "✗", ready: "✓", draining: "↻", stopped: "⊗", unresponsive: "✗", unknown: "?", undeclared: "⊗",
  well: "✓", "worth a look": "!", broken: "✗",
};
export function cssOf(word) {
  return word.replaceAll(" ", "-");
}
export function several(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
