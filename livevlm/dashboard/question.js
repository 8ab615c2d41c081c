// The form that asks.

import { element, say } from "./elements.js";

export class QuestionForm {
  #form;
  #text;
  #about;

  /** asked({text, stream, last}): a question was asked; watched: it is to be watched for. */
  constructor(form, { asked, watched }) {
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
      this.#take(asked);
    });
    form.querySelector("#watch").addEventListener("click", () => this.#take(watched));
  }

  /** Hand over what was typed, if anything was. */
  #take(whom) {
    const text = this.#text.value.trim();
    this.#text.focus();
    if (!text) return;
    const last = Number(new FormData(this.#form).get("range")) || null;
    this.#text.value = "";
    say(this.#form.querySelector(".trouble"), "");
    whom({ text, stream: this.#about.value, last });
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
