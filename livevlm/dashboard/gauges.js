// A few numbers with their names, in places that do not move.

import { element, say } from "./elements.js";

export class Gauges {
  #values = {};

  /** names: of the numbers, in order. */
  constructor(names, kind) {
    this.root = element("dl", { class: kind });
    for (const name of names) {
      const value = element("dd", {}, "–");
      this.#values[name] = value;
      this.root.append(element("div", {}, element("dt", {}, name), value));
    }
  }

  /** told: text by name. warned: the names of those that are not well. */
  show(told, warned = []) {
    for (const [name, text] of Object.entries(told)) {
      say(this.#values[name], text);
      this.#values[name].classList.toggle("warned", warned.includes(name));
    }
  }
}
