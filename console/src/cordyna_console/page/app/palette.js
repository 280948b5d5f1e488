// The palette: go to a run by the beginning of its id, to a task, a server, a page.
import { html, useEffect, useRef, useState } from "./html.js";
import { navigate } from "./state.js";
import { invokePath } from "./model/command.js";
import { get, RunId, runWord, State, useSettled } from "./parts/ui.js";

const PAGES = [
  ["Runs", "/runs"], ["Tasks", "/tasks"], ["Graph of all tasks", "/graph"], ["Servers", "/servers"], ["Incidents", "/incidents"], ["Crons", "/crons"],
  ["Dead letters", "/dead-letters"], ["Doctor", "/doctor"], ["What passes the bus", "/events"], ["Rehearse a declaration", "/rehearse"],
  ["Runs that are failing", "/runs?state=failing"], ["Runs that ended in error", "/runs?state=error"],
];

export function Palette({ close }) {
  const [text, setText] = useState("");
  const [chosenKey, setChosenKey] = useState(null);
  const [found, setFound] = useState({ runs: [], tasks: [], servers: [] });
  const field = useRef(null);
  // The dialog gives the focus to what is in it when it opens; this part may have come later.
  useEffect(() => field.current?.focus(), []);
  const settled = useSettled(text.trim(), 150);
  useEffect(() => {
    let over = false;
    Promise.all([
      get("/runs", { query: { q: settled, limit: 6 } }).catch(() => ({ rows: [] })),
      get("/tasks", { query: { q: settled } }).catch(() => ({ rows: [] })),
      get("/servers").catch(() => ({ rows: [] })),
    ]).then(([runs, tasks, servers]) => {
      if (over) return;
      const low = settled.toLowerCase();
      setFound({ runs: runs.rows, tasks: tasks.rows.slice(0, 8), servers: servers.rows.filter((row) => row.server.toLowerCase().includes(low)).slice(0, 5) });
    });
    return () => { over = true; };
  }, [settled]);
  const low = text.trim().toLowerCase();
  const items = [
    ...PAGES.filter(([name]) => low !== "" && name.toLowerCase().includes(low)).map(([name, href]) => ({ key: href, text: name, kind: "page", href })),
    ...found.runs.map((run) => ({ key: run.run_id, text: html`<span><${State} word=${runWord(run)} text="" /> ${run.task} <span class="soft"><${RunId} id=${run.run_id} /></span></span>`, kind: "run", href: `/runs/${run.run_id}` })),
    ...found.tasks.flatMap((task) => [
      { key: `t${task.task}`, text: task.task, kind: "task", href: `/tasks/${task.task}` },
      { key: `i${task.task}`, text: `Invoke ${task.task}`, kind: "action", href: invokePath(task.task) },
    ]),
    ...found.servers.map((row) => ({ key: `s${row.server}`, text: row.server, kind: "server", href: `/servers/${row.server}` })),
    ...PAGES.filter(() => low === "").map(([name, href]) => ({ key: href, text: name, kind: "page", href })),
  ];
  // The choice is kept by its name: what is found later must not move it.
  const chosen = Math.max(items.findIndex((item) => item.key === chosenKey), 0);
  const choose = (index) => setChosenKey(items[Math.min(Math.max(index, 0), items.length - 1)]?.key ?? null);
  const go = (item) => { close(); navigate(item.href); };
  const keys = (event) => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter" && items[chosen]) go(items[chosen]);
    else return;
    event.preventDefault();
  };
  return html`<input ref=${field} aria-label="Search runs, tasks, servers, pages" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-activedescendant=${items[chosen] ? `p-${chosen}` : undefined}
      placeholder="A run's id, a task, a server, a page" value=${text} onInput=${(event) => { setText(event.target.value); setChosenKey(null); }} onKeyDown=${keys} autocomplete="off" spellcheck="false" />
    <ul id="palette-list" role="listbox" aria-label="Found">${items.map((item, index) => html`<li key=${item.key} id="p-${index}" role="option" aria-selected=${index === chosen} onClick=${() => go(item)}>
      <span>${item.text}</span><span class="soft">${item.kind}</span></li>`)}
      ${items.length === 0 && html`<li class="soft" role="option" aria-selected="false">Nothing has that name.</li>`}</ul>`;
}
