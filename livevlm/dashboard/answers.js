// The answers, newest first; each hears what the daemon says about it.

import { Answer } from "./answer.js";

const MOST = 50;

export class Answers {
  #list;
  #empty;
  #tools;
  #link;
  #light;
  #all = [];

  /** tools: what an answer needs beside what is known here. light(stream, spans, place): show what an answer fetched. */
  constructor(list, empty, { link, light, tools }) {
    this.#list = list;
    this.#empty = empty;
    this.#link = link;
    this.#light = light;
    this.#tools = tools;
  }

  /** question: {text, stream, last}, last in seconds or null for all. */
  async ask(question) {
    const answer = new Answer(question, {
      ...this.#tools,
      cancel: (which) => this.#cancel(which),
      again: (asked) => this.ask(asked),
      dropped: (which) => this.#drop(which),
      looked: (which, place) => this.#light(which.question.stream, which.evidence.spans, place),
    });
    this.#all.unshift(answer);
    this.#list.prepend(answer.root);
    this.#empty.hidden = true;
    if (this.#all.length > MOST) this.#drop(this.#all.at(-1));
    try {
      const created = await this.#link.call(asking(question));
      answer.id = created.response.id;
    } catch (error) {
      answer.fail(error.message);
    }
  }

  /** event: any event of the daemon. */
  hear(event) {
    const id = event.response_id ?? event.response?.id;
    const answer = id && this.#all.find((one) => one.id === id);
    if (!answer) return;
    if (event.type === "response.queued") answer.queued(event.position);
    if (event.type === "response.evidence") {
      answer.begun();
      answer.evidence.show(event.evidence);
      this.#light(event.stream, event.evidence, -1);
    }
    if (event.type === "response.output_text.delta") answer.add(event.delta);
    if (event.type === "response.done") answer.done(event.response);
  }

  /** The session is gone, and with it whatever was being answered. */
  lost() {
    for (const answer of this.#all) answer.fail("The connection was lost, and with it the rest of this answer.", "lost");
  }

  #cancel(answer) {
    // An answer that has just ended cannot be cancelled: nothing is wrong then.
    if (answer.id) this.#link.call({ type: "response.cancel", response_id: answer.id }).catch(() => {});
  }

  #drop(answer) {
    if (!answer.over) this.#cancel(answer);
    this.#all = this.#all.filter((one) => one !== answer);
    answer.root.remove();
    this.#empty.hidden = this.#all.length > 0;
  }
}

function asking({ text, stream, last }) {
  return {
    type: "response.create",
    response: {
      conversation: "none",
      input: [{ type: "message", role: "user", content: [{ type: "input_text", text }] }],
      livevlm: { ...(stream && { streams: [stream] }), ...(last && { time: { last } }) },
    },
  };
}
