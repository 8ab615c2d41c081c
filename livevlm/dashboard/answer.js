// One question and its answer, as it is made.

import { element, say } from "./elements.js";
import { Evidence } from "./evidence.js";
import { clock, count } from "./words.js";

export class Answer {
  #about = element("p", { class: "quiet about" });
  #text = element("p", { class: "text" });
  #facts = element("p", { class: "quiet facts" });
  #trouble = element("p", { class: "trouble" });
  #cancel = element("button", { type: "button", class: "plain" }, "Cancel");
  #again = element("button", { type: "button", class: "plain", hidden: true }, "Ask again");
  #told;
  #range;

  /** question: {text, stream, last}. tools: pictures, opened(items, place), looked(answer, place), cancel(answer), again(question), told(text). */
  constructor(question, tools) {
    this.question = question;
    this.id = null;
    this.over = false;
    this.#told = tools.told;
    this.evidence = new Evidence(tools.pictures, { opened: tools.opened, looked: (place) => tools.looked(this, place) });
    const drop = element("button", { type: "button", class: "plain" }, "Dismiss");
    this.#range = `${question.stream} · ${question.last ? `last ${question.last / 60} m` : "all"}`;
    say(this.#about, this.#range);
    this.root = element("li", { class: "answer", "data-status": "in_progress", "aria-busy": "true" },
      element("h3", {}, question.text), this.#about,
      this.#text, this.#trouble, this.evidence.root, this.evidence.note, this.#facts,
      element("div", { class: "actions" }, this.#cancel, this.#again, drop));
    this.#trouble.hidden = true;
    this.#cancel.addEventListener("click", () => tools.cancel(this));
    this.#again.addEventListener("click", () => tools.again(question));
    drop.addEventListener("click", () => tools.dropped(this));
  }

  /** It waits; position 1 is the next to begin. */
  queued(position) {
    say(this.#about, `${this.#range} · ${position === 1 ? "next" : `${count(position - 1)} before you`}`);
  }

  /** It waits no longer. */
  begun() {
    say(this.#about, this.#range);
  }

  add(delta) {
    this.#text.append(delta);
  }

  /** response: of a `response.done`. */
  done(response) {
    const { status, status_details: details, livevlm: extras } = response;
    const full = (response.output[0]?.content ?? []).map((part) => part.text).join("");
    if (full) say(this.#text, full);
    if (status === "failed") return this.fail(details.error.message);
    const reason = details.reason && status !== "cancelled" ? ` (${details.reason.replaceAll("_", " ")})` : "";
    const { ttft_ms: first, total_ms: total } = extras.timings;
    const parts = [`as of ${clock(extras.as_of?.stream_s ?? 0)}`, `first word after ${Math.round(first)} ms`, `all after ${Math.round(total)} ms`];
    if (response.usage) parts.push(`${count(response.usage.input_token_details.cached_tokens)} tokens read`);
    if (status !== "completed") parts.unshift(`${status}${reason}`);
    say(this.#facts, parts.join(" · "));
    this.#end(status, full || status);
  }

  /** It ends without having been answered; status: failed or lost. */
  fail(message, status = "failed") {
    if (this.over) return;
    say(this.#trouble, message);
    this.#trouble.hidden = false;
    this.#end(status, message);
  }

  #end(status, told) {
    this.over = true;
    this.begun();
    this.root.dataset.status = status;
    this.root.setAttribute("aria-busy", "false");
    const focused = document.activeElement === this.#cancel;
    this.#cancel.hidden = true;
    this.#again.hidden = false;
    if (focused) this.#again.focus();
    this.#told(told);
  }
}
