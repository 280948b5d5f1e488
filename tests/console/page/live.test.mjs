// Following: a service that fails for a while is asked again, what is not found is not.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

const streams = [];
class FakeStream extends EventTarget {
  static CLOSED = 2;
  constructor(url) {
    super();
    this.url = url;
    this.readyState = 1;
    streams.push(this);
  }
  addEventListener(name, act) { super.addEventListener(name, (event) => act({ data: event.detail })); }
  say(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail: JSON.stringify(detail) })); }
  close() { this.readyState = FakeStream.CLOSED; }
}
globalThis.EventSource = /** @type {any} */ (FakeStream);
const page = Object.assign(new EventTarget(), { hidden: false });
globalThis.document = /** @type {any} */ (page);
const show = (visible) => { page.hidden = !visible; page.dispatchEvent(new Event("visibilitychange")); };
globalThis.window = /** @type {any} */ ({ location: { pathname: "/", search: "" }, addEventListener() {} });
globalThis.fetch = async () => new Response("{}", { status: 200 });
const { follow } = await import("../../../console/src/cordyna_console/page/app/live.js");
const { me } = await import("../../../console/src/cordyna_console/page/app/state.js");

beforeEach(() => { streams.length = 0; page.hidden = false; me.value = null; mock.timers.enable({ apis: ["setTimeout"] }); });
afterEach(() => mock.timers.reset());

const settle = async () => { for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve)); };

test("a service that fails for a while is asked again, and the problem disappears", async () => {
  const states = [];
  const stop = follow("/runs/live", { onData() {}, onState: (state, why) => states.push([state, why === null ? null : why?.status]) });
  streams[0].say("problem", { status: 503, what: "a service failed." });
  assert.deepEqual(states.at(-1), ["lost", 503]);
  assert.equal(streams[0].readyState, FakeStream.CLOSED);
  mock.timers.tick(2_000);
  await settle();
  assert.equal(streams.length, 2);
  streams[1].onmessage({ data: "{}", lastEventId: "a.1" });
  assert.deepEqual(states.at(-1), ["live", null]);
  stop();
});

test("what is not found is not asked for again", async () => {
  const states = [];
  follow("/runs/X/live", { onData() {}, onState: (state, why) => states.push([state, why?.status]) });
  streams[0].say("problem", { status: 404, what: "there is no run." });
  assert.deepEqual(states.at(-1), ["lost", 404]);
  mock.timers.tick(60_000);
  await settle();
  assert.equal(streams.length, 1);
});

test("a stream continues behind the last message", async () => {
  const stop = follow("/runs/X/live", { after: "a.1", onData() {}, onState() {} });
  assert.match(streams[0].url, /after=a\.1$/);
  streams[0].onmessage({ data: "{}", lastEventId: "a.2" });
  streams[0].say("problem", { status: 503, what: "a service failed." });
  mock.timers.tick(2_000);
  await settle();
  assert.match(streams[1].url, /after=a\.2$/);
  stop();
});

test("a hidden page follows nothing, and catches up when it is shown", () => {
  const states = [];
  page.hidden = true;
  const stop = follow("/runs/X/live", { onData() {}, onState: (state) => states.push(state) });
  assert.equal(streams.length, 0);
  show(true);
  assert.equal(streams.length, 1);
  show(false);
  assert.deepEqual([streams[0].readyState, states.at(-1)], [FakeStream.CLOSED, "paused"]);
  stop();
  states.length = 0;
  show(true);
  show(false);
  assert.deepEqual([streams.length, states], [1, []]);
});

test("a service that knows this browser no more is not asked again", async (t) => {
  t.mock.method(globalThis, "fetch", async () => new Response("{}", { status: 401 }));
  const stop = follow("/runs/live", { onData() {} });
  streams[0].say("problem", { status: 503, what: "a service failed." });
  for (let turn = 0; turn < 3; turn++) {
    mock.timers.tick(2_000);
    await settle();
  }
  assert.deepEqual([globalThis.fetch.mock.callCount(), streams.length], [1, 1]);
  stop();
});

test("a poll hands over only what is new, and nothing after its end", async () => {
  me.value = { live: "poll" };
  const states = [];
  const handed = [];
  let answer = (_) => {};
  const stop = follow("/runs/X/live", {
    poll: () => new Promise((resolve) => { answer = resolve; }),
    onData: (data) => handed.push(data),
    onState: (state) => states.push(state),
  });
  for (const cursor of ["a.1", "a.1", "a.2"]) {
    answer({ data: cursor, cursor });
    await settle();
    mock.timers.tick(2_000);
  }
  assert.deepEqual(handed, ["a.1", "a.2"]);
  states.length = 0;
  stop();
  answer({ data: "late", cursor: "a.3" });
  await settle();
  assert.deepEqual([handed, states], [["a.1", "a.2"], []]);
});
