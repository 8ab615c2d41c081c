// What the daemon was told to look out for.

import { element } from "./elements.js";
import { moment } from "./words.js";

export class Watches {
  #section;
  #list;

  constructor(section, list) {
    this.#section = section;
    this.#list = list;
  }

  /** watches: of a `watch.listed`; null where the daemon knows of none. */
  show(watches) {
    this.#section.hidden = !watches?.length;
    this.#list.replaceChildren(...(watches ?? []).map(line));
  }
}

function line(watch) {
  const state = watch.state ?? "";
  return element("li", { class: "watch", "data-state": state },
    element("span", { class: "dot" }),
    element("span", { class: "condition" }, watch.condition ?? ""),
    element("span", { class: "quiet" }, [watch.stream, state, watch.triggered_utc && moment(watch.triggered_utc)].filter(Boolean).join(" · ")));
}
