// When each task waited, was sent, was queued and ran.
import { html, useEffect, useMemo, useRef } from "../html.js";
import { elapsedOf, HEAD_H, ROW_H, timelineRows, TimelinePicture } from "../draw/timeline.js";
import { criticalPath } from "../model/run.js";
import { Loading, several } from "../parts/ui.js";
import { navigate, now, scheme, second, setQuery } from "../state.js";
import { TaskPanel } from "./task-panel.js";

export function RunTab({ runId, model, version, task, word }) {
  const frame = useRef(null);
  const canvas = useRef(null);
  const picture = useRef(null);
  const running = model !== null && (model.state === "running" || model.state === "failing");
  if (running) second.value;
  const rows = useMemo(() => (model === null ? [] : timelineRows(model, (index) => word === null || model.word[index] === word)), [model, version, word]);
  const critical = useMemo(() => new Set(model === null ? [] : criticalPath(model)), [model, version]);
  const selected = model === null || task === null ? null : model.index.get(task) ?? null;
  useEffect(() => {
    if (frame.current === null) return undefined;
    const made = new TimelinePicture(canvas.current, frame.current);
    picture.current = made;
    return () => made.close();
  }, [model === null]);
  useEffect(() => {
    if (model !== null) picture.current?.show({ run: model, rows, elapsed: elapsedOf(model, now()), selected, critical });
  }, [model, rows, version, selected, second.value, scheme.value]);
  if (model === null) return html`<${Loading} what="Timeline" />`;
  const click = (event) => {
    const index = picture.current?.rowAt(event.clientY) ?? null;
    setQuery({ task: index === null ? null : model.task[index] }, { replace: true });
  };
  const keys = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" && selected !== null) { navigate(`/runs/${runId}/tasks/${encodeURIComponent(model.task[selected])}`); return; }
    if (step === undefined || rows.length === 0) return;
    event.preventDefault();
    const at = Math.min(Math.max((selected === null ? -1 : rows.indexOf(selected)) + step, 0), rows.length - 1);
    setQuery({ task: model.task[rows[at]] }, { replace: true });
    const top = at * ROW_H;
    if (top < frame.current.scrollTop || top + 3 * ROW_H > frame.current.scrollTop + frame.current.clientHeight) frame.current.scrollTop = top - 80;
  };
  return html`
    <${Legend} />
    <div class=${selected === null ? "" : "two"}>
      <div class="timeline" ref=${frame} style=${{ height: `${canvasHeight(rows.length)}px` }} tabindex="0" role="img" aria-label=${`Timeline of ${several(rows.length, "task")}. Up and down walk along the rows, Enter opens one. The tab Tasks has the same as a table.`} onClick=${click} onKeyDown=${keys}>
        <canvas ref=${canvas}></canvas><div aria-hidden="true" style=${{ height: `${rows.length * ROW_H + HEAD_H + 8}px`, marginTop: `-${canvasHeight(rows.length)}px` }}></div>
      </div>
      ${selected !== null && html`<aside class="card side"><${TaskPanel} runId=${runId} model=${model} index=${selected} version=${version} onSelect=${(index) => setQuery({ task: index === null ? null : model.task[index] }, { replace: true })} /></aside>`}
    </div>`;
}

function canvasHeight(rows) {
  return Math.round(Math.min(Math.max(rows * ROW_H + HEAD_H + 12, 160), window.innerHeight * 0.66, 700));
}

function Legend() {
  return html`<div class="legend"><span><i class="b-waiting"></i>waited</span><span><i class="b-dispatched"></i>sent, queued</span><span><i class="b-started"></i>running</span><span><i class="b-completed"></i>ran and completed</span><span><i class="b-error"></i>ran and failed</span><span>1 2 3: attempts</span><span>◆ on the critical path: who waited for whom until the end</span><span>┆ where the clock runs out</span></div>`;
}
