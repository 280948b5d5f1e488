// What the page's modules must hold beside what the type checker sees.
import js from "@eslint/js";
import globals from "globals";

const NO_HTML = ["innerHTML", "outerHTML", "insertAdjacentHTML", "dangerouslySetInnerHTML"];

export default [
  { ignores: ["**/vendor/**"] },
  js.configs.recommended,
  {
    files: ["src/cordyna_console/page/app/**/*.js"],
    languageOptions: { ecmaVersion: 2024, sourceType: "module", globals: globals.browser },
    rules: {
      "eqeqeq": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-restricted-properties": ["error", ...NO_HTML.map((property) => ({ property, message: "foreign text is only ever a text node" }))],
      "no-restricted-syntax": ["error", { selector: "Property[key.name='dangerouslySetInnerHTML']", message: "foreign text is only ever a text node" }],
    },
  },
  { files: ["vendor.mjs"], languageOptions: { globals: globals.node } },
];
