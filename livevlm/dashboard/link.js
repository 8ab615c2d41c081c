// The connection to the daemon: opens itself again whenever it is lost, and goes on with the session that it carried.

import { Session } from "./session.js";
import { headers, protocols } from "./token.js";

const FIRST_MS = 400, LONGEST_MS = 8000, GROWTH = 1.7;
const GREETING_MS = 20000, SILENCE_MS = 10000;
const UNHEARD = 4000; // closes a connection without taking leave: the daemon keeps the session

export class Link {
  #session = null;
  #socket = null;
  #greeting = null; // how a connection began over which the session of an earlier one is to go on
  #carrying = false;
  #since = 0;
  #delay = FIRST_MS;
  #retry = 0;
  #silence = 0;
  #pinged = false;
  #begins = 0;
  #told;

  /** told: hear(event): any event of the daemon. changed(state, detail): connecting, open, anew, waiting, locked, refused.
   *  begun(session): another session than before. ended(): it cannot be gone on with, and what it was asked is lost. */
  constructor(told) {
    this.#told = told;
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  /** Whether there is a session, be it one whose connection is being made anew. */
  get alive() {
    return this.#session !== null;
  }

  /** Connect, for the first time or after all was refused. */
  connect() {
    this.#told.changed("connecting");
    this.#dial();
  }

  /** Send an event; the promise is kept by the event that answers it, and broken by the error that does. Between two connections
   *  it waits for the next one. */
  call(event) {
    if (!this.#session) return Promise.reject(new Error("There is no connection to the daemon. Try again when there is."));
    const { text, answer } = this.#session.call(event);
    if (this.#carrying) this.#socket.send(text);
    return answer;
  }

  #dial() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    const url = new URL("/v1/realtime", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url, protocols());
    this.#socket = socket;
    socket.addEventListener("message", (message) => this.#heard(socket, JSON.parse(message.data)));
    socket.addEventListener("close", (close) => this.#lost(socket, close.reason));
    this.#listen();
  }

  #heard(socket, event) {
    if (socket !== this.#socket) return;
    this.#pinged = false;
    this.#listen();
    if (event.type === "session.created") this.#greeted(event);
    else if (this.#greeting) this.#settled(event);
    else if (this.#session.heard(event)) this.#told.hear(event);
  }

  #greeted(created) {
    if (!this.#session) return this.#begin(new Session(created), created.session);
    this.#greeting = created;
    this.#socket.send(this.#session.wish());
  }

  /** What the daemon says to the wish to go on with a session. */
  #settled(event) {
    if (event.type === "session.resumed") {
      this.#carry("open");
      for (const text of this.#session.resumed(event)) this.#socket.send(text);
    } else if (this.#session.refused(event)) {
      const { session } = this.#greeting;
      this.#end();
      this.#begin(new Session({ session, seq: event.seq }, 1), session);
    }
  }

  #begin(session, told) {
    this.#session = session;
    this.#carry(this.#begins++ ? "anew" : "open");
    this.#told.begun(told);
  }

  #carry(state) {
    this.#greeting = null;
    this.#carrying = true;
    this.#since = Date.now();
    this.#told.changed(state);
  }

  /** A connection that says nothing any more, even when it is asked to, is as good as none, whatever the browser believes. */
  #listen() {
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#silence = setTimeout(() => {
      if (!this.#carrying || this.#pinged) return this.#lost(socket);
      this.#pinged = true;
      this.call({ type: "ping" }).catch(() => {}); // whether it is refused or lost, somebody else is told
      this.#listen();
    }, this.#carrying ? SILENCE_MS : GREETING_MS);
  }

  async #lost(socket, why = "") {
    if (socket !== this.#socket) return;
    const letIn = this.#carrying || this.#greeting;
    // One that is cut off again and again is no success to begin anew from.
    if (this.#carrying && Date.now() - this.#since > LONGEST_MS) this.#delay = FIRST_MS;
    this.#leave();
    this.#session?.lost(Date.now());
    if (this.#session?.gone(Date.now())) this.#end();
    // A browser does not say why a websocket was not let in; the same door tells it to a plain request.
    const reason = letIn ? null : await whyNot();
    if (this.#socket || this.#retry) return;
    if (reason) {
      this.#end();
      return this.#told.changed(reason.state, reason.text);
    }
    this.#retry = setTimeout(() => this.#dial(), this.#delay * (0.8 + 0.4 * Math.random()));
    this.#delay = Math.min(LONGEST_MS, this.#delay * GROWTH);
    this.#told.changed("waiting", why);
  }

  /** Somebody looks at the page again, or the network is back: do not wait out the delay. */
  #hurry() {
    if (!this.#retry) return;
    this.#delay = FIRST_MS;
    this.#dial();
  }

  #leave() {
    clearTimeout(this.#silence);
    this.#socket.close(UNHEARD);
    this.#socket = this.#greeting = null;
    this.#carrying = this.#pinged = false;
  }

  #end() {
    this.#session?.end();
    this.#session = null;
    this.#told.ended();
  }
}

async function whyNot() {
  try {
    const answer = await fetch("/v1/status", { headers: headers(), cache: "no-store" });
    if (answer.status === 401) return { state: "locked" };
    if (answer.status === 403) return { state: "refused", text: await answer.text() };
  } catch {
    // Nobody is there: the usual way of waiting is the right one.
  }
  return null;
}
