// State: the document /state.json in the terms of the page. Pure.
//
// protobuf's JSON leaves out what is zero or empty, and writes 64-bit numbers
// as strings, times as RFC 3339 and durations as "0.012s".

const seconds = (text) => (text ? Date.parse(text) / 1000 : undefined);
const duration = (text) => (text ? Number.parseFloat(text) : undefined);
const bits = (bytes) => (bytes === undefined ? undefined : bytes * 8);

function readUplink(it, since) {
  return {
    name: it.name,
    interface: it.interface ?? "",
    phase: it.phase ?? "Waiting",
    reason: it.reason ?? "",
    since: seconds(since),
    intended: it.intendedShare ?? 0,
    achieved: it.achievedShare ?? 0,
    // In bits per second; undefined where no counter tells.
    receive: bits(it.receiveBytesPerSecond),
    transmit: bits(it.transmitBytesPerSecond),
    download: Number(it.capacity?.download?.bitsPerSecond ?? 0),  // 0: unknown
    upload: Number(it.capacity?.upload?.bitsPerSecond ?? 0),
    connections: Number(it.connections ?? 0),
    health: it.health && {
      state: it.health.state ?? "Unknown",
      reason: it.health.reason ?? "",
      loss: it.health.loss ?? 0,
      latency: duration(it.health.latency),
      probes: (it.health.probes ?? []).map((probe) => ({
        name: probe.name,
        answered: probe.answered,
        latency: duration(probe.latency),
        fault: probe.fault ?? "",
      })),
    },
  };
}

function readEvent(event) {
  const plan = event.plan ?? [];
  return {
    key: [event.time, event.trigger, event.result, event.message,
          plan[0]?.command].join("|"),
    time: seconds(event.time),
    trigger: event.trigger ?? "",
    result: event.result ?? "",
    message: event.message ?? "",
    plan,
    leftOut: event.omittedLines ?? 0,
  };
}

// A pass that found all well again says so in an event of its own: it is told
// with the one that it follows. The newest comes first.
function settle(events) {
  const kept = [];
  let settled;
  for (const event of events) {
    const ending = event.result === "in-sync" && !event.message &&
        event.plan.length === 0;
    if (ending) {
      settled = event;
      continue;
    }
    if (settled && event.plan.length > 0) {
      event.settled = settled.time - event.time;
      settled = undefined;
    }
    kept.push(event);
  }
  return kept;
}

// `json` is a v1::LiveState.
export function readState(json) {
  const status = json.status ?? {};
  const conditions = {};
  for (const it of status.conditions ?? []) {
    conditions[it.type] = {
      status: it.status,
      reason: it.reason ?? "",
      message: it.message ?? "",
      since: seconds(it.lastTransition),
    };
  }
  const time = seconds(json.time);
  return {
    time,
    published: seconds(json.published) ?? time,
    starting: json.status === undefined,
    name: status.name ?? "",
    revision: status.revision ?? "",
    generation: Number(status.generation ?? 0),
    version: status.agentVersion ?? "",
    conditions,
    warnings: status.warnings ?? [],
    corrections: Number(status.corrections ?? 0),
    uplinks: (status.uplinks ?? []).map(
        (it) => readUplink(it, json.phaseSince?.[it.name])),
    events: settle((json.events ?? []).map(readEvent)),
    spec: json.spec ?? "",
  };
}

// How an uplink stands: "good", "warn", "bad", or "calm" where it is as asked.
export function levelOf(uplink) {
  switch (uplink.phase) {
    case "Ready": return uplink.health?.state === "Degraded" ? "warn" : "good";
    case "Draining":
    case "Disabled": return "calm";
    default: return "bad";
  }
}

// Its phase in a word for people.
export function standing(uplink) {
  return levelOf(uplink) === "warn" ? "Degraded" : uplink.phase;
}
