// Events: what happened lately, the newest first, each with its reasons.
import {element, keep, setText} from "./dom.js";
import {capital, clock, delay} from "./words.js";

export const FEW = 8;

const RESULTS = {
  "changed": "Changed",
  "failed": "Failed",
  "conflict": "Conflict",
  "in-sync": "In sync",
  "cut": "Cut",
  "cut-failed": "Cut failed",
  "up": "Up",
  "down": "Down",
  "address": "New address",
  "lost": "Not kept",
  "accepted": "Accepted",
  "refused": "Refused",
};
// What a pass, a cut or an answer is due to.
const TRIGGERS = {
  spec: "a new spec",
  event: "an event of the kernel",
  health: "the probes",
  hint: "a hint",
  poll: "a look at the tables",
  periodic: "the regular full look",
  retry: "another try",
  load: "the loads",
  drain: "an operator's request",
  undrain: "an operator's request",
  request: "a request",
  apply: "a request to apply a spec",
  cleanup: "a request to clean up",
};
// Their messages tell it all.
const TOLD = ["uplink", "failover", "failback", "disabled", "removed", "pause",
              "confirm", "events"];
const BAD = ["failed", "conflict", "cut-failed", "down", "refused"];

// Its message begins with the name of an uplink, which stays as it is.
const isOfAnUplink = ({result, message}) =>
    ["up", "down", "address"].includes(result) ||
    /^\S+ (is drained|takes connections) /.test(message);

// "due to a new spec"; what this page does not know is shown as it is.
export function causeOf({trigger}) {
  if (Object.hasOwn(TRIGGERS, trigger)) return `due to ${TRIGGERS[trigger]}`;
  return TOLD.includes(trigger) ? "" : trigger;
}

export function resultOf({result}) {
  return Object.hasOwn(RESULTS, result) ? RESULTS[result] : capital(result);
}

function planLine(line) {
  const failed = line.result === "failed" || line.result === "conflict";
  return element("li", {},
      element("code", {}, `${line.sign} ${line.command}`),
      element("span", {class: "why"}, line.reason ?? ""),
      ...(failed ? [element("span", {class: "fault"},
          `${line.result}: ${line.error ?? ""}`)] : []));
}

export function summary(event) {
  if (isOfAnUplink(event)) return event.message;
  if (event.message) return capital(event.message);
  const lines = event.plan.length + event.leftOut;
  const first = event.plan[0]?.reason;
  if (!first) return "The kernel holds what the spec asks for.";
  return lines === 1 ? capital(first) :
      `${lines} changes, the first: ${first}`;
}

class EventEntry {
  constructor(event) {
    const cause = causeOf(event);
    this.settled = element("span", {class: "settled"});
    this.time = element("time",
        {datetime: new Date(event.time * 1000).toISOString()});
    const head = element("p", {class: "head"}, this.time,
        element("span", {class: "result"}, resultOf(event)),
        ...(cause ? [element("span", {class: "cause"}, cause)] : []),
        this.settled);
    this.node = element("li",
        {"data-level": BAD.includes(event.result) ? "bad" : "calm"},
        head, element("p", {class: "message"}, summary(event)));
    if (event.plan.length > 0) this.node.append(EventEntry.steps(event));
  }

  update(event, now) {
    setText(this.time, clock(event.time, now));
    setText(this.settled, event.settled === undefined ? "" :
        `seen to be in sync ${delay(event.settled)} later`);
  }

  static steps(event) {
    const lines = event.plan.map(planLine);
    if (event.leftOut > 0) {
      lines.push(element("li", {}, `and ${event.leftOut} more`));
    }
    const total = event.plan.length + event.leftOut;
    return element("details", {},
        element("summary", {}, total === 1 ? "1 step" : `${total} steps`),
        element("ol", {class: "steps"}, ...lines));
  }
}

// As showUplinks(); at most `most` of them.
export function showEvents(parent, known, state, most) {
  keep(parent, known, state.events.slice(0, most), (event) => event.key,
       (event) => new EventEntry(event),
       (entry, event) => entry.update(event, state.time));
}
