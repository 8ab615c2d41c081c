// The dashboard: looks at the daemon every second, and asks it what people ask.

import { AddingForm } from "./adding.js";
import { Answers } from "./answers.js";
import { byId, say } from "./elements.js";
import { Link } from "./link.js";
import { Lock } from "./lock.js";
import { Pictures } from "./pictures.js";
import { QuestionForm } from "./question.js";
import { Streams } from "./streams.js";
import { token } from "./token.js";
import { Viewer } from "./viewer.js";
import { Watches } from "./watches.js";
import { duration } from "./words.js";

const LOOK_MS = 1000, HIDDEN_MS = 5000, MEMORY_EVERY = 2, WATCHES_EVERY = 3;
const STATES = {
  connecting: () => "connecting",
  open: () => "connected",
  anew: () => "connected, in a new session",
  stopping: (seconds) => `the daemon stops within ${duration(seconds)}`,
  waiting: (why) => (why ? `not connected (${why}), trying again` : "not connected, trying again"),
  locked: () => "a token is needed",
  refused: (why) => why,
};

const pictures = new Pictures();
const viewer = new Viewer(pictures);
const link = new Link({ hear, changed, begun, ended: () => answers.lost() });
const lock = new Lock(() => link.connect());
const act = (type, name) => link.call({ type, name });
new AddingForm((name, url) => link.call({ type: "stream.add", name, url }));
const streams = new Streams(byId("streams"), byId("no-streams"), { pictures, opened: (one) => viewer.open([one]), act });
const watches = new Watches(byId("watches"), byId("watch-list"), {
  pictures,
  opened: (items) => viewer.open(items),
  drop: (watch) => link.call({ type: "watch.delete", watch }).then(lookAtWatches, complain),
});
const answers = new Answers(byId("answers"), byId("no-answers"), {
  link,
  light: (stream, spans, place) => streams.light(stream, spans, place),
  tools: { pictures, opened: (items, place) => viewer.open(items, place), told: (text) => say(byId("told"), text) },
});
const form = new QuestionForm(byId("ask"), {
  asked: (question) => answers.ask(question),
  watched: ({ text, stream }) => link.call({ type: "watch.create", condition: text, stream }).then(lookAtWatches, complain),
});

let life = 0;
link.connect();

function hear(event) {
  answers.hear(event);
  // What it fetched is shown where it lies now, not where the memory ended at the last look.
  if (event.type === "response.evidence") measure(event.stream).catch(() => {});
  if (event.type === "session.going_away") changed("stopping", event.time_left_s);
  if (event.type === "watch.triggered") {
    watches.found(event);
    say(byId("told"), `${event.watch.stream}: ${event.watch.condition}`);
  }
}

/** The state of the connection, in words. */
function changed(state, detail) {
  byId("link").dataset.state = state;
  say(byId("link-text"), STATES[state](detail));
  if (state === "locked") lock.ask();
}

/** There is a session that knows nothing of one before. */
function begun(session) {
  pictures.forget();
  say(byId("model"), `${session.model}, version ${session.livevlm.version}`);
  byId("links").hidden = token() !== null; // a plain link shows no token
  link.call({ type: "subscribe", topics: ["watch"] }).catch(() => {}); // lost again: the next session subscribes anew
  look(++life, 0);
}

/** Look at the streams, and now and then at their memories, as long as this session, one life, lasts. */
async function look(mine, turn) {
  let wait = document.hidden ? HIDDEN_MS : LOOK_MS;
  try {
    const listed = await link.call({ type: "stream.list" });
    streams.show(listed);
    form.offer(streams.names);
    byId("main").classList.remove("waiting");
    if (listed.ready && turn % MEMORY_EVERY === 0) await measure();
    if (turn % WATCHES_EVERY === 0) await lookAtWatches();
  } catch (error) {
    // A refusal passes, such as that of a daemon which is busy; a lost session is told by its state, and another begins.
    wait += error.waitMs ?? 0;
  }
  setTimeout(() => mine === life && link.alive && look(mine, turn + 1), wait);
}

/** How much is remembered, of one stream or of all. */
async function measure(stream) {
  streams.remember((await link.call({ type: "memory.stats", ...(stream && { stream }) })).memories);
}

async function lookAtWatches() {
  watches.show((await link.call({ type: "watch.list" })).watches);
}

/** What the form asked for was refused. */
function complain(error) {
  say(byId("ask-trouble"), error.message);
}
