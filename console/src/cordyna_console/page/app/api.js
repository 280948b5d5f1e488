// The one way to the API. A failure is a Problem with what happened, why, and what to do next.
import { early } from "./early.js";
import { trouble } from "./state.js";

export class Problem extends Error {
  constructor(document) {
    super(document.what);
    this.status = document.status;
    this.what = document.what;
    this.why = document.why ?? "";
    this.next = document.next ?? "";
    this.problems = document.problems ?? [];
  }
}

/** A hosted console: the token of who is signed in, and what to do when it is not taken any more. */
export const session = { bearer: /** @type {string | null} */ (null), expired: /** @type {(() => void) | null} */ (null) };

const GONE = {
  status: 0,
  what: "The console does not answer.",
  why: "its process has ended, or this machine was asleep",
  next: "dyna open",
};

/**
 * @param {string} path
 * @param {{ query?: Record<string, any>, signal?: AbortSignal }} options
 * @returns {Promise<any>}
 */
export async function get(path, { query = {}, signal } = {}) {
  return request(address(path, query), { signal });
}
/** What an address answers as text, for what is kept as a file. @returns {Promise<string>} */
export async function getText(path, query = {}) {
  return request(address(path, query), { asText: true });
}
/** @returns {Promise<any>} */
export async function post(path, body = {}) {
  return request(address(path), {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Cordyna": "1" },
    body: JSON.stringify(body),
  });
}
export function address(path, query = {}) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") words.set(name, String(value));
  }
  const text = words.toString();
  return `/api/v1${path}${text ? `?${text}` : ""}`;
}

async function request(url, options) {
  let response;
  try {
    const headers = { ...options.headers, ...(session.bearer === null ? {} : { Authorization: `Bearer ${session.bearer}` }) };
    const asked = options.method === undefined ? early(url) : null;
    response = await (asked ?? fetch(url, { credentials: "same-origin", cache: "no-cache", ...options, headers }));
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    trouble.value ??= { since: Date.now(), problem: new Problem(GONE) };
    throw new Problem(GONE);
  }
  if (response.status === 401 && session.expired !== null) session.expired();
  if (response.status === 401) {
    const problem = new Problem(await document_(response));
    trouble.value = { since: Date.now(), problem };
    throw problem;
  }
  trouble.value = null;
  if (!response.ok) throw new Problem(await document_(response));
  if (response.status === 204) return null;
  return options.asText ? response.text() : response.json();
}

async function document_(response) {
  try {
    return { status: response.status, ...(await response.json()) };
  } catch {
    return { status: response.status, what: `The console answered ${response.status}.`, next: "try again" };
  }
}
