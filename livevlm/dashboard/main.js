// The dashboard: looks at the daemon every second, and asks it what people ask.

import { Answers } from "./answers.js";
import { byId, say } from "./elements.js";
import { Link } from "./link.js";
import { Lock } from "./lock.js";
import { Pictures } from "./pictures.js";
import { QuestionForm } from "./question.js";
import { Streams } from "./streams.js";
import { Viewer } from "./viewer.js";
import { Watches } from "./watches.js";

const LOOK_MS = 1000, HIDDEN_MS = 5000, MEMORY_EVERY = 2;

const pictures = new Pictures();
const viewer = new Viewer(pictures);
const link = new Link({ hear, changed });
const lock = new Lock(() => link.connect());
const act = (type, name) => link.call({ type, name });
const streams = new Streams(byId("streams"), byId("no-streams"), { pictures, opened: (one) => viewer.open([one]), act });
const watches = new Watches(byId("watches"), byId("watch-list"));
const answers = new Answers(byId("answers"), byId("no-answers"), {
  link,
  light: (stream, spans, place) => streams.light(stream, spans, place),
  tools: { pictures, opened: (items, place) => viewer.open(items, place), told: (text) => say(byId("told"), text) },
});
const form = new QuestionForm(byId("ask"), (question) => answers.ask(question));

let life = 0;
link.connect();

function hear(event) {
  answers.hear(event);
  if (event.type.startsWith("watch.") && event.type !== "watch.listed") lookAtWatches();
}

/** The state of the connection, in words. */
function changed(state, detail) {
  const words = {
    connecting: "connecting",
    open: "connected",
    stopping: "the daemon is stopping",
    waiting: "not connected, trying again",
    locked: "a token is needed",
    refused: detail,
  };
  byId("link").dataset.state = state;
  say(byId("link-text"), words[state]);
  if (state === "open") opened(detail);
  else if (state !== "stopping") answers.lost();
  if (state === "locked") lock.ask();
}

function opened(session) {
  pictures.forget();
  say(byId("model"), `${session.model}, version ${session.livevlm.version}`);
  look(++life, 0);
  lookAtWatches();
}

/** Look at the streams, and now and then at their memories, as long as this connection, one life, lasts. */
async function look(mine, turn) {
  try {
    const listed = await link.call({ type: "stream.list" });
    streams.show(listed);
    form.offer(streams.names);
    if (listed.ready && turn % MEMORY_EVERY === 0) streams.remember((await link.call({ type: "memory.stats" })).memories);
  } catch (error) {
    // A refusal passes, such as that of a daemon which is busy; a lost connection is told by its state, and begins anew.
    if (mine !== life || !link.open) return;
  }
  setTimeout(() => mine === life && link.open && look(mine, turn + 1), document.hidden ? HIDDEN_MS : LOOK_MS);
}

async function lookAtWatches() {
  try {
    watches.show((await link.call({ type: "watch.list" })).watches);
  } catch {
    watches.show(null); // this daemon knows no watches
  }
}
