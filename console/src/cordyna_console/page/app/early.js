// What the page of a run asks for, asked for while the modules of the page are still loading.
const RUN = /^\/runs\/([0-9A-HJKMNP-TV-Z]{26})(?:\/([a-z]+))?\/?$/;
const asked = new Map();

const run = RUN.exec(window.location.pathname);
// A hosted console answers only who is signed in, and that is not known yet.
if (run !== null && document.querySelector("meta[name=cordyna-sign-in]") === null) {
  for (const part of ["", "/structure", "/facts"]) {
    const url = `/api/v1/runs/${run[1]}${part}`;
    const answer = fetch(url, { credentials: "same-origin", cache: "no-cache" });
    answer.catch(() => {}); // the one that asks for it sees the failure
    asked.set(url, answer);
  }
  for (const part of ["run", `run-${run[2] ?? "graph"}`]) import(`/app/pages/${part}.js`).catch(() => {});
}

/** The answer that was asked for early, once; null where it was not. @param {string} url */
export function early(url) {
  const answer = asked.get(url) ?? null;
  asked.delete(url);
  return answer;
}
