// The form that has the daemon watch one more stream.

import { byId, say } from "./elements.js";

export class AddingForm {
  #form = byId("add");
  #trouble = byId("add-trouble");

  /** add(name, url): tell the daemon; the promise is broken where it refuses. */
  constructor(add) {
    this.#form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const { name, url } = Object.fromEntries(new FormData(this.#form));
      try {
        await add(name.trim(), url.trim());
        this.#form.reset();
        say(this.#trouble, "");
        this.#form.elements.name.focus();
      } catch (error) {
        say(this.#trouble, error.message);
      }
    });
  }
}
