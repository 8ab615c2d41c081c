// The door: asks for the token where the daemon wants one.

import { byId, say } from "./elements.js";
import { drop, keep, token } from "./token.js";

export class Lock {
  #dialog = byId("lock");

  /** given(): a token was typed in. */
  constructor(given) {
    // Without a token there is nothing to see: Escape does not help.
    this.#dialog.addEventListener("cancel", (event) => event.preventDefault());
    byId("unlock").addEventListener("submit", (event) => {
      event.preventDefault();
      const field = byId("token");
      keep(field.value.trim());
      field.value = "";
      this.#dialog.close();
      given();
    });
  }

  /** Ask for a token; one that was shown already was wrong. */
  ask() {
    say(byId("lock-trouble"), token() === null ? "" : "That token was not accepted.");
    drop();
    if (!this.#dialog.open) this.#dialog.showModal();
    byId("token").focus();
  }
}
