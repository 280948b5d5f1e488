// A part whose module is loaded when it is first shown.
import { html, useEffect, useState } from "../html.js";
import { Loading } from "./ui.js";

const loaded = new Map();

/** Begin to load a module that will be shown; what goes wrong is shown by the part itself. */
export function preload(module) {
  import(module).catch(() => {});
}

export function Lazy({ module, name, ...props }) {
  const [, setVersion] = useState(0);
  const [failure, setFailure] = useState(null);
  const part = loaded.get(`${module}#${name}`);
  useEffect(() => {
    if (part !== undefined) return;
    setFailure(null);
    import(module).then((found) => {
      loaded.set(`${module}#${name}`, found[name]);
      setVersion((at) => at + 1);
    }, setFailure);
  }, [module, name]);
  if (part !== undefined) return html`<${part} ...${props} />`;
  if (failure !== null) {
    return html`<section class="card problem" role="alert"><h2>This part of the page could not be loaded.</h2>
      <p>The console may have ended, or been replaced by another version.</p><button onClick=${() => window.location.reload()}>Load the page again</button></section>`;
  }
  return html`<${Loading} />`;
}
