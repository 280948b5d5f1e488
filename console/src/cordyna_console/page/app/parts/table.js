// A table of any length: only the rows in view are in the document. Real cells, real headers.
import { html, useEffect, useRef, useState } from "../html.js";

const ROW_H = 33;
const AROUND = 8;

/** A cell whose text does not fit shows the whole of it as its title. */
function titleIfCut(event) {
  const cell = event.currentTarget;
  cell.title = cell.scrollWidth > cell.clientWidth ? cell.textContent.trim() : "";
}

/** columns: [{ name, label, class, render(row) }]; rowProps(row) are put on its <tr>. */
export function VirtualTable({ label, columns, rows, rowProps = undefined, sort = null, onSort = null, current = null }) {
  const frame = useRef(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  useEffect(() => {
    const element = frame.current;
    let pending = 0;
    const look = () => {
      pending = 0;
      setView({ top: element.scrollTop, height: element.clientHeight || 600 });
    };
    const scrolled = () => { pending ||= requestAnimationFrame(look); };
    element.addEventListener("scroll", scrolled, { passive: true });
    look();
    return () => { element.removeEventListener("scroll", scrolled); cancelAnimationFrame(pending); };
  }, []);
  useEffect(() => {
    if (current === null || frame.current === null) return;
    const top = current * ROW_H;
    const { scrollTop, clientHeight } = frame.current;
    if (top < scrollTop || top + 3 * ROW_H > scrollTop + clientHeight) frame.current.scrollTop = Math.max(0, top - clientHeight / 2);
  }, [current]);
  const all = rows.length <= 60;
  const first = all ? 0 : Math.min(Math.max(0, Math.floor(view.top / ROW_H) - AROUND), Math.max(0, rows.length - 20));
  const last = all ? rows.length : Math.min(rows.length, Math.ceil((view.top + view.height) / ROW_H) + AROUND);
  const spacer = (count, key) => html`<tr class="spacer" key=${key} aria-hidden="true"><td colspan=${columns.length} style=${{ height: `${count * ROW_H}px` }}></td></tr>`;
  return html`<div class="virtual" ref=${frame} tabindex="0" role="region" aria-label=${label}>
    <table aria-rowcount=${rows.length + 1}>
      <thead><tr>${columns.map((column) => html`<th key=${column.name} scope="col" class=${column.class ?? ""}
        aria-sort=${sort?.by === column.name ? (sort.down ? "descending" : "ascending") : undefined}>
        ${onSort && column.sortable !== false ? html`<button class="sort" onClick=${() => onSort(column.name)}>${column.label}${sort?.by === column.name ? (sort.down ? " ↓" : " ↑") : ""}</button>` : column.label}</th>`)}</tr></thead>
      <tbody>
        ${first > 0 && spacer(first, "above")}
        ${rows.slice(first, last).map((row, at) => html`<tr key=${row.key ?? first + at} aria-rowindex=${first + at + 2} aria-selected=${current === first + at ? "true" : undefined} ...${rowProps?.(row, first + at)}>
          ${columns.map((column) => html`<td key=${column.name} class=${column.class ?? ""} onMouseEnter=${titleIfCut}>${column.render(row)}</td>`)}</tr>`)}
        ${last < rows.length && spacer(rows.length - last, "below")}
      </tbody>
    </table>
  </div>`;
}
