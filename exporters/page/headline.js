// Headline: is all well? The answer in words. Pure.
//
// Its texts change only when something happens, since they are read out.
import {levelOf} from "./state.js";
import {capital, clock, count, list, sentence} from "./words.js";

const PHASES = {
  Down: "down",
  Waiting: "not available",
  Blocked: "blocked",
};
// An uplink's phase and what the agent does about it are a moment apart.
const SLACK = 2;

const names = (uplinks) => uplinks.map((uplink) => uplink.name);
const areOrIs = (uplinks) => (uplinks.length === 1 ? "is" : "are");

// What the agent did when `uplink` failed: its own words in the events.
function deedsFor(uplink, state) {
  return state.events
      .filter((event) => event.trigger === "failover" && event.message &&
              event.message.split(/[\s,:]+/).includes(uplink.name) &&
              event.time >= (uplink.since ?? 0) - SLACK)
      .map((event) => event.message);
}

// "Since 23:01:41: ..."; with its name where others are told of as well.
function why(uplink, reason, state, named) {
  const since = uplink.since && `since ${clock(uplink.since, state.time)}`;
  const words = reason || uplink.phase;
  if (named) return sentence(`${[uplink.name, since].filter(Boolean).join(" ")}: ${words}`);
  return sentence(since ? `${capital(since)}: ${words}` : words);
}

function whatWasDone(bad, state) {
  const able = state.uplinks.filter(
      (uplink) => uplink.phase === "Ready" && uplink.intended > 0);
  if (able.length === 0) return "No uplink takes new connections.";
  const where = `New connections go to ${list(names(able))}.`;
  const deeds = bad.flatMap((uplink) => deedsFor(uplink, state));
  return deeds.length ? `${where} The agent ${list(deeds)}.` : where;
}

function aboutBad(bad, state) {
  const all = bad.length === state.uplinks.length;
  const phases = new Set(bad.map((uplink) => PHASES[uplink.phase] ?? "down"));
  const phase = phases.size === 1 ? [...phases][0] : "not working";
  return {
    level: "bad",
    title: all && bad.length > 1 ? "No uplink works" :
        `${list(names(bad))} ${areOrIs(bad)} ${phase}`,
    details: [
      ...bad.map((uplink) => why(uplink, uplink.reason, state, bad.length > 1)),
      whatWasDone(bad, state),
    ],
  };
}

// Nothing: the agent's work is done.
function aboutWork(state) {
  const {Accepted, Programmed} = state.conditions;
  if (state.starting) return {level: "unknown", title: "The agent is starting"};
  if (Accepted?.reason === "NoSpec") {
    return {
      level: "unknown",
      title: "There is no spec yet",
      details: [sentence(Accepted.message),
                "uplinkctl apply -f FILE hands one to the agent."],
    };
  }
  if (Programmed?.status === "False" && Programmed.reason !== "Reconciling") {
    return {
      level: "bad",
      title: "The kernel does not hold the spec",
      details: [sentence(`${Programmed.reason} since ` +
          `${clock(Programmed.since, state.time)}: ${Programmed.message}`)],
    };
  }
  return undefined;
}

function notes(state) {
  const {Accepted, ConfirmPending, Degraded, DriftDetected, Paused, Programmed,
         Saved} = state.conditions;
  const said = [];
  if (ConfirmPending?.status === "True") {
    said.push(sentence(`Waits to be confirmed: ${ConfirmPending.message}`));
  }
  if (ConfirmPending?.reason === "RolledBack") {
    said.push(sentence(ConfirmPending.message));
  }
  if (Saved?.status === "False") said.push(sentence(Saved.message));
  if (Paused?.status === "True") said.push(sentence(Paused.message));
  if (Accepted?.reason === "InvalidSpec") {
    said.push(sentence(`The last spec was refused: ${Accepted.message}`));
  }
  if (DriftDetected?.reason === "ForeignConflict" ||
      Degraded?.reason === "ForeignConflict") {
    said.push(sentence(DriftDetected.message));
  }
  if (Programmed?.reason === "Reconciling") {
    said.push("Changes are being made.");
  }
  for (const uplink of state.uplinks) {
    if (levelOf(uplink) === "calm") {
      said.push(sentence(uplink.reason ? `${uplink.name}: ${uplink.reason}` :
          `${uplink.name} is ${uplink.phase.toLowerCase()}`));
    }
  }
  return [...said, ...state.warnings.map(sentence)];
}

function aboutGood(state) {
  const warn = state.uplinks.filter((uplink) => levelOf(uplink) === "warn");
  const {Accepted, Degraded} = state.conditions;
  if (warn.length > 0) {
    return {
      level: "warn",
      title: `${list(names(warn))} ${areOrIs(warn)} degraded`,
      details: warn.map((uplink) => why(uplink, uplink.health.reason, state,
                                        warn.length > 1)),
    };
  }
  if (Degraded?.status === "True") {
    return {
      level: "warn",
      title: "It works, but not as asked",
      details: [sentence(`Since ${clock(Degraded.since, state.time)}: ` +
          Degraded.message)],
    };
  }
  const able = state.uplinks.filter((uplink) => uplink.phase === "Ready");
  const who = able.length === 1 ? `${able[0].name} carries` :
      able.length < state.uplinks.length ? `${able.length} uplinks carry` :
      able.length === 2 ? "Both uplinks carry" :
      `All ${able.length} uplinks carry`;
  return {
    level: Accepted?.status === "False" ? "warn" : "good",
    title: Accepted?.status === "False" ? "The last spec was refused" :
        "All is well",
    details: [`${who} traffic, and the kernel holds what the spec asks for.`],
  };
}

// Of a state that is true.
function judgeFresh(state) {
  const bad = state.uplinks.filter((uplink) => levelOf(uplink) === "bad");
  const work = aboutWork(state);
  if (work) {
    return {...work, details: [
      ...(work.details ?? []),
      ...bad.map((uplink) => why(uplink, uplink.reason, state, true)),
      ...state.warnings.map(sentence)]};
  }
  const said = bad.length > 0 ? aboutBad(bad, state) : aboutGood(state);
  return {...said, details: [...said.details, ...notes(state)]};
}

// Seconds. The agent publishes each second, unless the kernel lets it wait.
export const STALE = 4;

// Whether it was old when it was asked for. Both times are the router's.
const isStale = (state) => state.time - state.published > STALE;

// {level, title, details: [sentence]}. Nobody knows that all is well while the
// agent waits; that something was wrong stays worth a look.
export function judge(state) {
  const said = judgeFresh(state);
  if (!isStale(state)) return said;
  return {
    level: said.level === "bad" ? "bad" : "unknown",
    title: "The agent waits for the kernel",
    details: [
      "Traffic flows on as it did: the kernel does that by itself.",
      `Last seen at ${clock(state.published, state.time)}: ` +
          sentence(said.title),
      ...(said.level === "bad" ? said.details : []),
    ],
  };
}

// The agent does not answer; `last` is what was shown before, if anything.
export function judgeSilence(last) {
  const details = ["Traffic flows on as it did: the kernel does that by itself."];
  if (last) {
    details.push(`Last heard at ${clock(last.time, last.time)}: ` +
        sentence(judge(last).title));
  }
  return {level: "unknown", title: "The agent does not answer", details};
}

export function factsOfSpec(state) {
  if (state.generation === 0) return "None.";
  const revision = state.revision ? `revision ${state.revision}, ` : "";
  const repaired = state.corrections === 1 ? "1 object" :
      `${count(state.corrections)} objects`;
  return `${state.name}, ${revision}generation ${state.generation}. ` +
      `${repaired} repaired since the agent started.`;
}
