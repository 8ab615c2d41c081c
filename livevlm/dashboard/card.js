// One stream: its picture, how it is doing, what is remembered of it.

import { element, say } from "./elements.js";
import { Gauges } from "./gauges.js";
import { Lookout } from "./lookout.js";
import { Rate } from "./rate.js";
import { Timeline } from "./timeline.js";
import { bytes, clock, count, duration } from "./words.js";

const LATE_S = 5;
const WATCHED = ["live", "stalled", "reconnecting"];
const MEANT = ["skipped", "similar"]; // left out because nothing would have been learnt from them: no loss

export class Card {
  #state = element("span");
  #trouble = element("p", { class: "trouble" });
  #gauges = new Gauges(["frames/s", "behind", "waiting", "dropped"], "gauges");
  #details = new Gauges(["source", "frames seen", "left out", "reconnects", "remembered", "on the device", "in host memory", "on disk"], "details");
  #rate = new Rate();
  #lookout;

  /** opened({address, title}): somebody wants to see a picture large. acts: buttons for this stream, if there are any. */
  constructor(name, { pictures, opened, actions }) {
    this.#lookout = new Lookout(name, pictures, opened);
    this.timeline = new Timeline();
    this.timeline.axis.children[0].after(this.#lookout.slider);
    const state = element("p", { class: "state" }, element("span", { class: "dot" }), this.#state);
    const facts = element("div", { class: "facts" }, element("h3", {}, name), state, this.#gauges.root);
    const more = element("details", {}, element("summary", {}, "Details"), this.#details.root);
    this.actions = actions;
    this.root = element("li", { class: "card" },
      element("div", { class: "top" }, this.#lookout.root, facts),
      this.#trouble, this.timeline.root, element("div", { class: "foot" }, more, actions.root));
    this.#trouble.hidden = true;
  }

  close() {
    this.#lookout.close();
    this.root.remove();
  }

  /** status: one of the streams of `stream.listed`; now: when that was said, in milliseconds. */
  show(status, now) {
    this.root.dataset.state = status.state;
    say(this.#state, status.state);
    this.#trouble.hidden = !status.error;
    const next = status.next_try_s ? `; next try in ${duration(status.next_try_s)}` : "";
    say(this.#trouble, status.error ? `${status.error}${next}` : "");
    const dropped = Object.entries(status.frames_dropped).filter(([, number]) => number);
    const behind = status.as_of && status.live && WATCHED.includes(status.state) ? Math.max(0, (now - Date.parse(status.as_of.utc)) / 1000) : null;
    const fps = this.#rate.add(now, status.frames_encoded);
    this.#gauges.show({
      "frames/s": fps === null || status.state === "ended" ? "–" : fps.toFixed(1),
      behind: behind === null ? "–" : duration(behind),
      waiting: count(status.queue_frames),
      dropped: count(dropped.reduce((sum, [reason, number]) => sum + (MEANT.includes(reason) ? 0 : number), 0)),
    }, behind > LATE_S ? ["behind"] : []);
    this.#details.show({
      source: status.source,
      "frames seen": `${count(status.frames_encoded)} of ${count(status.frames_received)}`,
      "left out": dropped.map(([reason, number]) => `${reason} ${count(number)}`).join(", ") || "none",
      reconnects: count(status.reconnects),
    });
    this.actions.show(status.state);
    if (status.as_of) this.#lookout.seen(status.as_of.stream_s);
  }

  /** memory: the stream's of `memory.stats`. */
  remember(memory) {
    this.timeline.show(memory);
    this.timeline.root.hidden = memory.from_s === null && !this.#trouble.hidden;
    this.#lookout.reach(memory.pictures ? memory.spans?.archive ?? null : null);
    this.#details.show({
      remembered: memory.from_s === null ? "nothing" : `${clock(memory.from_s)} to ${clock(memory.to_s)}`,
      "on the device": bytes(memory.device_bytes),
      "in host memory": bytes(memory.host_bytes),
      "on disk": memory.error ?? bytes(memory.disk_bytes),
    }, memory.error ? ["on disk"] : []);
  }
}
