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
globalThis.document = /** @type {any} */ ({ hidden: false, addEventListener() {}, removeEventListener() {} });
globalThis.window = /** @type {any} */ ({ location: { pathname: "/", search: "" }, addEventListener() {} });
globalThis.fetch = async () => new Response("{}", { status: 200 });
const { follow } = await import("../../../console/src/cordyna_console/page/app/live.js");

beforeEach(() => { streams.length = 0; mock.timers.enable({ apis: ["setTimeout"] }); });
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
