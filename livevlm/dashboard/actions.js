// What can be done with a stream: pause it, resume it, remove it.

import { element, say } from "./elements.js";

const SURE_MS = 4000;
const OVER = ["ended", "failed"];

export class Actions {
  #pause = element("button", { type: "button", class: "plain" });
  #remove = element("button", { type: "button", class: "plain" }, "Remove");
  #trouble = element("p", { class: "trouble", role: "alert" });
  #paused = false;
  #sure = 0;

  /** act(type, name): tell the daemon; the promise is broken where it refuses. */
  constructor(name, act) {
    this.root = element("div", { class: "actions" }, this.#pause, this.#remove, this.#trouble);
    const tried = async (type) => {
      try {
        await act(type, name);
        say(this.#trouble, "");
      } catch (error) {
        say(this.#trouble, error.message);
      }
    };
    this.#pause.addEventListener("click", () => tried(this.#paused ? "stream.resume" : "stream.pause"));
    this.#remove.addEventListener("click", () => {
      if (this.#sure) {
        clearTimeout(this.#sure);
        this.#calm();
        return tried("stream.remove");
      }
      say(this.#remove, "Really remove?");
      this.#sure = setTimeout(() => this.#calm(), SURE_MS);
    });
  }

  show(state) {
    this.#paused = state === "paused";
    this.#pause.hidden = OVER.includes(state);
    say(this.#pause, this.#paused ? "Resume" : "Pause");
  }

  #calm() {
    this.#sure = 0;
    say(this.#remove, "Remove");
  }
}
