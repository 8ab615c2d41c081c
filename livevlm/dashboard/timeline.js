// What is remembered of a stream, along its time: a lane for each tier of memory, and what an answer fetched, lit up.

import { drawing, element, say } from "./elements.js";
import { TIERS, clock, count, percent, stretch } from "./words.js";

const WIDTH = 1000, HEIGHT = 20;

export class Timeline {
  #lanes = {};
  #from = element("span");
  #to = element("span");
  #span = [0, 1];
  #lit = [];
  #focus = -1;

  constructor() {
    this.root = element("div", { class: "timeline", role: "group", "aria-label": "what is remembered" });
    for (const tier of Object.keys(TIERS)) {
      const bars = drawing("g"), marks = drawing("g", { class: "lit" });
      const lane = drawing("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, bars, marks);
      const tokens = element("span", { class: "tokens" });
      this.root.append(element("div", { class: `lane ${tier}` }, element("span", {}, TIERS[tier]), lane, tokens));
      this.#lanes[tier] = { bars, marks, tokens };
    }
    this.axis = element("div", { class: "axis" }, this.#from, this.#to);
    this.root.append(this.axis);
  }

  /** memory: one of the memories of `memory.stats`. */
  show(memory) {
    const from = memory.from_s ?? 0, to = memory.to_s ?? from;
    this.#span = [from, Math.max(to, from + 1)];
    say(this.#from, memory.from_s === null ? "" : clock(from));
    say(this.#to, memory.to_s === null ? "" : clock(to));
    for (const [tier, lane] of Object.entries(this.#lanes)) {
      const span = memory.spans?.[tier];
      say(lane.tokens, count(memory.tokens[tier] ?? 0));
      lane.bars.replaceChildren(...(span ? this.#bars(span) : []));
    }
    this.#drawLit();
  }

  /** Light up what an answer was given from; `focus` is the one that somebody looks at. */
  light(evidence, focus = -1) {
    this.#lit = evidence;
    this.#focus = focus;
    this.#drawLit();
  }

  #x(seconds) {
    const [from, to] = this.#span;
    return WIDTH * Math.min(1, Math.max(0, (seconds - from) / (to - from)));
  }

  /** Where the tier says how densely it is filled, that is drawn; a tier that holds all of its time is one bar. */
  #bars(span) {
    const [left, right] = [this.#x(span.from_s), this.#x(span.to_s)];
    const tokens = span.tokens ?? [];
    if (tokens.length === 0) return [bar(left, right - left, HEIGHT)];
    const most = Math.max(1, ...tokens), step = (right - left) / tokens.length;
    return tokens.flatMap((held, place) => (held ? [bar(left + place * step, step, HEIGHT * (0.2 + (0.8 * held) / most))] : []));
  }

  #drawLit() {
    const best = Math.max(1e-9, ...this.#lit.map((one) => one.score));
    for (const [tier, lane] of Object.entries(this.#lanes)) {
      const shown = this.#lit.map((one, place) => ({ one, place })).filter(({ one }) => one.tier === tier);
      lane.marks.replaceChildren(...shown.map(({ one, place }) => this.#mark(one, place === this.#focus, one.score / best)));
    }
  }

  #mark(one, focused, strength) {
    const left = this.#x(one.from_s), width = this.#x(one.to_s) - left;
    const said = drawing("title", {}, `${stretch(one.from_s, one.to_s)}, ${percent(one.score)} of the attention`);
    const opacity = focused ? 1 : (0.45 + 0.55 * strength).toFixed(2);
    return drawing("rect", { x: left.toFixed(1), y: 0, width: Math.max(1, width).toFixed(1), height: HEIGHT, opacity, class: focused ? "focused" : null }, said);
  }
}

function bar(x, width, height) {
  return drawing("rect", { x: x.toFixed(1), y: (HEIGHT - height).toFixed(1), width: Math.max(1, width).toFixed(1), height: height.toFixed(1) });
}
