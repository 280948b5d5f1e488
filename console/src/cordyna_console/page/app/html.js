// One place from which every module takes the view library.
import { h, render } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { batch, computed, effect, signal } from "@preact/signals";
import htm from "htm";

export const html = htm.bind(h);
/** The element of a selector, or null. */
export const find = (selector) => /** @type {HTMLElement | null} */ (document.querySelector(selector));
export { batch, computed, effect, render, signal, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState };
