// The form that asks.

import { element } from "./elements.js";

export class QuestionForm {
  #form;
  #text;
  #about;

  /** asked({text, stream, last}): a question was asked. */
  constructor(form, asked) {
    this.#form = form;
    this.#text = form.querySelector("textarea");
    this.#about = form.querySelector("select");
    this.#text.addEventListener("keydown", (event) => {
      // A key that ends the composing of a character (isComposing) is not meant for us.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#text.value.trim();
      if (!text) return this.#text.focus();
      const last = Number(new FormData(form).get("range")) || null;
      this.#text.value = "";
      asked({ text, stream: this.#about.value, last });
    });
  }

  /** Which streams can be asked about; the one that is chosen stays chosen. */
  offer(names) {
    const there = [...this.#about.options].map((option) => option.value);
    if (there.length === names.length && there.every((name, place) => name === names[place])) return;
    const chosen = this.#about.value;
    this.#about.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
    if (names.includes(chosen)) this.#about.value = chosen;
  }
}
