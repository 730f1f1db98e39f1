// App: asks the agent each second and shows what it says.
//
// While the agent does not answer, the page says so, says how old is what it
// shows, and asks less and less often.
import {setAttribute, setParagraphs, setText} from "./dom.js";
import {FEW, showEvents} from "./events.js";
import {factsOfSpec, judge, judgeSilence, STALE} from "./headline.js";
import {readState} from "./state.js";
import {showUplinks, SIGNS} from "./uplink_card.js";
import {age} from "./words.js";

const EVERY = 1000;      // milliseconds
const PATIENCE = 3000;   // for an answer
const LONGEST = 15000;   // between two tries

const $ = (id) => document.getElementById(id);
const cards = new Map();
const events = new Map();
let last;            // the state that is shown
let heard = 0;       // when it came, on this machine's clock
let failures = 0;    // in a row
let nextTry = 0;
let timer;
let asking = false;
let allEvents = false;

function showHeadline({level, title, details}) {
  setAttribute($("headline"), "data-level", level);
  setText($("sign"), SIGNS[level]);
  setText($("title"), title);
  setParagraphs($("details"), details);
  const router = last?.name ? ` · ${last.name}` : "";
  document.title = `${SIGNS[level]} ${title}${router}`;
}

function showMore(state) {
  const more = $("more");
  more.hidden = state.events.length <= FEW;
  setAttribute(more, "aria-expanded", String(allEvents));
  setText(more, allEvents ? "Show fewer" : `Show all ${state.events.length}`);
}

function showState(state) {
  showHeadline(judge(state));
  setText($("router"), state.name || "uplinkd");
  setText($("version"), `uplinkd ${state.version}`.trim());
  showUplinks($("cards"), cards, state);
  $("no-uplinks").hidden = state.uplinks.length > 0;
  showEvents($("events"), events, state, allEvents ? state.events.length : FEW);
  $("no-events").hidden = state.events.length > 0;
  showMore(state);
  setText($("spec-facts"), factsOfSpec(state));
  setText($("spec"), state.spec);
  $("spec-fold").hidden = state.spec === "";
}

// How old is what is shown. Beside the headline, not in it: it changes each
// second, and must not be read out.
function showFreshness() {
  const silent = failures > 0;
  const seen = last &&
      last.time - last.published + (Date.now() - heard) / 1000;
  const waits = !silent && seen > STALE;  // then the headline says for what
  const words = [];
  if (last && (silent || waits)) words.push(`What is shown is ${age(seen)} old.`);
  if (silent) {
    const left = Math.max(0, nextTry - Date.now());
    words.push(asking ? "Asking again …" :
        `Next try in ${age(Math.ceil(left / 1000))}.`);
  }
  setText($("age"), words.join(" "));
  $("age").hidden = words.length === 0;
  $("retry").hidden = !silent;
  setAttribute(document.body, "data-silent", String(silent || waits));
  const live = last !== undefined && words.length === 0;
  setText($("freshness"), live ? "Live" : "Not live");
  setAttribute($("freshness"), "data-live", String(live));
}

async function ask() {
  const answer = await fetch("/state.json",
      {cache: "no-store", signal: AbortSignal.timeout(PATIENCE)});
  const state = readState(await answer.json());
  // The agent serves before it has a status; then there is only a time or less.
  if (!answer.ok) throw new Error(`it answered ${answer.status}`);
  return state;
}

async function listen() {
  const began = Date.now();
  try {
    last = await ask();
  } catch {
    ++failures;
    nextTry = Date.now() + Math.min(LONGEST, EVERY * 2 ** (failures - 1));
    return;
  }
  heard = Date.now();
  failures = 0;
  nextTry = Math.max(began + EVERY, heard);
}

async function poll() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  showFreshness();
  await listen();
  asking = false;
  timer = setTimeout(poll, nextTry - Date.now());
  showFreshness();
  if (failures > 0) {
    showHeadline(judgeSilence(last));
  } else {
    showState(last);
  }
}

$("retry").addEventListener("click", poll);
$("more").addEventListener("click", () => {
  allEvents = !allEvents;
  if (last) showState(last);
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && failures > 0) poll();
});
setInterval(showFreshness, 1000);
poll();
