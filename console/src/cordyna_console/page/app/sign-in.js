// Signing in to a hosted console: OpenID Connect, authorization code with PKCE. The token is kept
// as long as the tab; a local console has no such thing and never loads this file.
import { session } from "./api.js";

const KEPT = "cordyna.session";
const ASKED = "cordyna.sign-in";
const BACK = "/signed-in";

/**
 * Make `session` hold a token: the one that is kept, the one that the provider answers with now,
 * or by going to the provider. Returns the path to show, or null while the browser leaves.
 * @param {{ client_id: string, authorize: string, token: string, scope_prefix: string }} provider
 * @returns {Promise<string | null>}
 */
export async function signIn(provider) {
  session.expired = () => { sessionStorage.removeItem(KEPT); leave(provider); };
  const { pathname, search, origin } = window.location;
  if (pathname === BACK) return arrive(provider, new URLSearchParams(search), `${origin}${BACK}`);
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  if (kept !== null && kept.until > Date.now()) {
    session.bearer = kept.token;
    return pathname + search;
  }
  await leave(provider);
  return null;
}

async function leave(provider) {
  const { pathname, search, origin } = window.location;
  const asked = { state: randomText(), verifier: randomText(), to: pathname === BACK ? "/" : pathname + search };
  sessionStorage.setItem(ASKED, JSON.stringify(asked));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(asked.verifier));
  const address = new URL(provider.authorize);
  const words = {
    response_type: "code", client_id: provider.client_id, redirect_uri: `${origin}${BACK}`, state: asked.state,
    scope: ["openid", ...["look", "invoke", "operate"].map((word) => provider.scope_prefix + word)].join(" "),
    code_challenge: base64url(new Uint8Array(digest)), code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(words)) address.searchParams.set(name, value);
  window.location.assign(address);
}

async function arrive(provider, answer, redirectUri) {
  const asked = JSON.parse(sessionStorage.getItem(ASKED) ?? "null");
  sessionStorage.removeItem(ASKED);
  // An answer that this tab did not ask for may be of another person.
  if (asked === null || answer.get("state") !== asked.state || !answer.get("code")) {
    throw new Error(answer.get("error_description") ?? answer.get("error") ?? "this tab did not ask to sign in");
  }
  const body = new URLSearchParams({
    grant_type: "authorization_code", client_id: provider.client_id, code: answer.get("code"), redirect_uri: redirectUri, code_verifier: asked.verifier,
  });
  const response = await fetch(provider.token, { method: "POST", body, credentials: "omit" });
  if (!response.ok) throw new Error(`the identity provider answered ${response.status}`);
  const { access_token: token, expires_in: seconds } = await response.json();
  sessionStorage.setItem(KEPT, JSON.stringify({ token, until: Date.now() + (Number(seconds) || 300) * 1000 }));
  session.bearer = token;
  return asked.to;
}

function randomText() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}
function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
