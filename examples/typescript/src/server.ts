// The task server mail: writes a text, and sends it to one address.
import { serve, type Json } from "./cordyna.js";

serve("mail", {
  "mail.text": {
    owner: "team-mail",
    body: ({ progress }) => {
      progress(0.5, "writing");
      return "Your order is on its way. Yay";
    },
  },
  "mail.send": {
    owner: "team-mail",
    upstream: ["mail.text"],
    params_schema: { type: "object", properties: { to: { type: "string" } }, required: ["to"] } as Json,
    body: ({ params, upstream }) => {
      const to = String(params["to"]);
      if (!to.includes("@")) throw new Error(`${to} is not an address`);
      const text = String(upstream["mail.text"]);
      console.log(`to ${to}: ${text}`);
      return { to, characters: text.length };
    },
  },
});
