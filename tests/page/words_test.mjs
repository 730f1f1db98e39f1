// The pure parts of the live page, without a browser: node --test.
import assert from "node:assert/strict";
import {test} from "node:test";
import {causeOf, resultOf, summary} from "./page/events.js";
import {judge, judgeSilence} from "./page/headline.js";
import {History} from "./page/history.js";
import {readState} from "./page/state.js";
import {age, count, delay, list, percent, rate} from "./page/words.js";

const at = (seconds) => new Date((1e9 + seconds) * 1000).toISOString();

// A router with two uplinks, all well; `change` makes it another one.
function documentOf(change = () => {}) {
  const uplink = (name, share) => ({
    name, interface: name, phase: "Ready", intendedShare: share,
    receiveBytesPerSecond: 1e6, transmitBytesPerSecond: 1e5,
    capacity: {download: {bitsPerSecond: "20000000"}}, connections: "7",
    health: {state: "Up", latency: "0.012s",
             probes: [{name: "icmp 192.0.2.1", answered: true, latency: "0.012s"}]},
  });
  const document = {
    time: at(100),
    published: at(99.5),
    phaseSince: {wan1: at(10), wan2: at(40)},
    spec: "kind: Router\n",
    events: [],
    status: {
      name: "office", generation: "3",
      conditions: [
        {type: "Accepted", status: "True", reason: "Valid"},
        {type: "Programmed", status: "True", reason: "InSync", lastTransition: at(5)},
        {type: "Ready", status: "True", reason: "UplinksWork"},
        {type: "DriftDetected", status: "False", reason: "InSync"},
        {type: "Degraded", status: "False", reason: "AsSpecified"},
      ],
      uplinks: [uplink("wan1", 0.5), uplink("wan2", 0.5)],
    },
  };
  change(document.status, document);
  return document;
}

const said = (change) => judge(readState(documentOf(change)));
const lose = (uplink, phase, reason) =>
    Object.assign(uplink, {phase, reason, intendedShare: 0});
const condition = (status, type, values) =>
    Object.assign(status.conditions.find((one) => one.type === type), values);

test("All is well when all is in sync and every uplink works", () => {
  const {level, title, details} = said();
  assert.equal(level, "good");
  assert.equal(title, "All is well");
  assert.deepEqual(details, ["Both uplinks carry traffic, and the kernel holds what " +
      "the spec asks for."]);
});

test("An uplink that is down is named, with since when, why, and what was done", () => {
  const {level, title, details} = said((status, document) => {
    lose(status.uplinks[1], "Down", "0 of 1 probes answered");
    document.events = [
      {time: at(41), trigger: "failover", result: "cut",
       message: "cut 12 connections of wan2, which stopped carrying them"},
      {time: at(4), trigger: "failover", result: "cut",
       message: "cut 99 connections of wan2, which stopped carrying them"},
      {time: at(42), trigger: "failover", result: "cut",
       message: "cut 77 connections of wan20, which stopped carrying them"},
    ];
  });
  assert.equal(level, "bad");
  assert.equal(title, "wan2 is down");
  assert.match(details[0], /^Since .*\d\d:\d\d:\d\d: 0 of 1 probes answered\.$/);
  assert.equal(details[1], "New connections go to wan1. The agent cut 12 connections of " +
      "wan2, which stopped carrying them.");
});

test("Uplinks that fail for different reasons are told apart", () => {
  const {title, details} = said((status) => {
    status.uplinks.push({...status.uplinks[0], name: "wan3"});
    lose(status.uplinks[0], "Down", "no answer");
    lose(status.uplinks[1], "Waiting", "wan2 is down");
  });
  assert.equal(title, "wan1 and wan2 are not working");
  assert.match(details[0], /^wan1 since .*: no answer\.$/);
  assert.match(details[1], /^wan2 since .*: wan2 is down\.$/);
  assert.match(details.join(" "), /New connections go to wan3\./);
});

test("When none works it says so", () => {
  const {level, title, details} = said((status) => {
    for (const uplink of status.uplinks) lose(uplink, "Down", "no answer");
  });
  assert.equal(level, "bad");
  assert.equal(title, "No uplink works");
  assert.match(details.join(" "), /No uplink takes new connections\./);
});

test("An uplink that loses too much is a warning", () => {
  const {level, title, details} = said((status) => {
    status.uplinks[0].health = {state: "Degraded", reason: "loses 12% of the probes"};
  });
  assert.equal(level, "warn");
  assert.equal(title, "wan1 is degraded");
  assert.match(details[0], /loses 12% of the probes\.$/);
});

test("What an operator asked for is no fault, but is told", () => {
  const {level, details} = said((status) => {
    lose(status.uplinks[0], "Draining", "drains, as an operator asked");
  });
  assert.equal(level, "good");
  assert.deepEqual(details.slice(1), ["wan1: drains, as an operator asked."]);
});

test("A spec that waits to be confirmed is told, and one that was rolled back", () => {
  const add = (values) => (status) =>
      status.conditions.push({type: "ConfirmPending", ...values});
  const waits = said(add({status: "True", reason: "Waiting",
                          message: "generation 3 until 23:10"}));
  assert.equal(waits.level, "good");
  assert.deepEqual(waits.details.slice(1),
                   ["Waits to be confirmed: generation 3 until 23:10."]);
  const back = said(add({status: "False", reason: "RolledBack",
                         message: "rolled back generation 3"}));
  assert.deepEqual(back.details.slice(1), ["rolled back generation 3."]);
  assert.equal(said(add({status: "False", reason: "None"})).details.length, 1);
});

test("A disk that takes nothing is told", () => {
  const {level, details} = said((status) => {
    status.conditions.push({type: "Saved", status: "False", reason: "DiskFull",
                            message: "the events cannot be saved: no space"});
  });
  assert.equal(level, "good");
  assert.deepEqual(details.slice(1), ["the events cannot be saved: no space."]);
});

test("A kernel that refuses the spec comes before everything else", () => {
  const {level, title, details} = said((status) => {
    condition(status, "Programmed",
              {status: "False", reason: "LockTimeout", message: "iptables-restore has it"});
    lose(status.uplinks[1], "Down", "no answer");
  });
  assert.equal(level, "bad");
  assert.equal(title, "The kernel does not hold the spec");
  assert.match(details[0], /LockTimeout since .*: iptables-restore has it\.$/);
  assert.match(details.join(" "), /wan2/, "what else is wrong is told as well");
});

test("A spec that was refused is a warning, one that lacks is not", () => {
  const refused = said((status) => condition(status, "Accepted",
      {status: "False", reason: "InvalidSpec", message: "uplinks[0]: no name"}));
  assert.equal(refused.level, "warn");
  assert.match(refused.details.join(" "), /uplinks\[0\]: no name/);
  const none = said((status) => condition(status, "Accepted",
      {status: "False", reason: "NoSpec", message: "no spec was applied"}));
  assert.equal(none.title, "There is no spec yet");
});

test("Silence is no good news, and says what was known", () => {
  const {level, title, details} = judgeSilence(readState(documentOf()));
  assert.equal(level, "unknown");
  assert.equal(title, "The agent does not answer");
  assert.match(details.join(" "), /Last heard at .*: All is well\./);
  assert.equal(judgeSilence(undefined).details.length, 1);
});

test("What is old is no good news, and what was wrong stays wrong", () => {
  const age = (seconds, change = () => {}) => said((status, document) => {
    document.published = at(100 - seconds);
    change(status, document);
  });
  assert.equal(age(3).title, "All is well");
  const {level, title, details} = age(12);
  assert.equal(level, "unknown");
  assert.equal(title, "The agent waits for the kernel");
  assert.match(details.join(" "), /Last seen at .*\d\d:\d\d:\d\d: All is well\./);
  // It is read out when it changes.
  const later = judge(readState({...documentOf((status, document) => {
    document.published = at(88);
  }), time: at(101)}));
  assert.deepEqual(later.details, details);
  const bad = age(12, (status) => lose(status.uplinks[1], "Down", "no answer"));
  assert.equal(bad.level, "bad");
  assert.match(bad.details.join(" "), /: wan2 is down\. Since .*: no answer\./);
});

test("An event says what it is due to, and an unknown one is shown as it is", () => {
  assert.equal(causeOf({trigger: "spec"}), "due to a new spec");
  assert.equal(causeOf({trigger: "drain"}), "due to an operator's request");
  assert.equal(causeOf({trigger: "undrain"}), "due to an operator's request");
  assert.equal(causeOf({trigger: "request"}), "due to a request");
  assert.equal(causeOf({trigger: "cleanup"}), "due to a request to clean up");
  assert.equal(causeOf({trigger: "uplink"}), "");
  assert.equal(causeOf({trigger: ""}), "");
  for (const trigger of ["moon", "constructor", "__proto__"]) {
    assert.equal(causeOf({trigger}), trigger);
  }
  assert.deepEqual(["accepted", "refused", "melted", "toString", ""].map(
      (result) => resultOf({result})),
                   ["Accepted", "Refused", "Melted", "ToString", ""]);
  const told = (result, message) =>
      summary({trigger: "drain", result, message, plan: [], leftOut: 0});
  assert.equal(told("accepted", "cable is drained by uid 0"), "cable is drained by uid 0");
  assert.equal(told("accepted", "cable takes connections again"),
               "cable takes connections again");
  assert.equal(told("cut", "cut 3 connections of cable"), "Cut 3 connections of cable");
});

// protobuf's JSON leaves out whatever is zero or empty.
test("Whatever is left out, there is a headline", () => {
  const leaveOut = (value, chance) => {
    if (Array.isArray(value)) return value.map((one) => leaveOut(one, chance));
    if (typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value)
        .filter(([key]) => ["name", "type", "event"].includes(key) || chance() > 0.2)
        .map(([key, one]) => [key, leaveOut(one, chance)]));
  };
  let seed = 1;
  const chance = () => (seed = seed * 16807 % 2147483647) / 2147483647;
  for (let i = 0; i < 2000; ++i) {
    const document = documentOf((status, all) => {
      all.events = [{time: at(1), trigger: "spec", result: "changed",
                     plan: [{sign: "+", command: "ip rule add"}]}];
      if (i % 2) lose(status.uplinks[1], "Down", "no answer");
      if (i % 3) condition(status, "Degraded", {status: "True", message: "m"});
    });
    assert.ok(judge(readState(leaveOut(document, chance))).title);
  }
});

test("A pass that found all well is told with the one before it", () => {
  const {events} = readState(documentOf((status, document) => {
    document.events = [
      {time: at(3), trigger: "retry", result: "in-sync"},
      {time: at(2), trigger: "failover", result: "cut", message: "cut 1"},
      {time: at(1), trigger: "event", result: "changed",
       plan: [{sign: "+", command: "ip rule add"}]},
    ];
  }));
  assert.deepEqual(events.map((event) => event.result), ["cut", "changed"]);
  assert.equal(events[1].settled, 2);
});

test("Rates, times and parts are in units for people", () => {
  assert.deepEqual([0, 999, 12345, 4.2e6, 19.64e6, 999.9e6, 2.5e9].map(rate),
                   ["0 bit/s", "999 bit/s", "12.3 kbit/s", "4.2 Mbit/s", "19.6 Mbit/s",
                    "1 Gbit/s", "2.5 Gbit/s"]);
  assert.deepEqual([0, 0.004, 0.5, 1].map(percent), ["0 %", "0.4 %", "50 %", "100 %"]);
  assert.deepEqual([0.0124, 0.0002, 1.5].map(delay), ["12.4 ms", "0.2 ms", "1.5 s"]);
  assert.deepEqual([3, 119, 120, 7500, 200000].map(age),
                   ["3 s", "119 s", "2 min", "2 h 5 min", "2 days"]);
  assert.equal(list(["a", "b", "c"]), "a, b and c");
  assert.equal(count(18243), "18\u202f243");
});

test("The past is three minutes long, and silence is a gap in it", () => {
  const history = new History();
  for (let time = 0; time < 30; ++time) history.add(1000 + time, 5, 1);
  assert.deepEqual(history.span(), [969, 1029]);
  history.add(1029, 6, 1);  // the same moment again
  assert.equal(history.columns[0].length, 30);
  history.add(1090, 9, 1);
  assert.deepEqual(history.columns[1].slice(-3), [5, null, 9]);
  assert.equal(history.highest(1), 9);
  assert.deepEqual(history.span(), [970, 1090]);
  for (let time = 1091; time < 1400; ++time) history.add(time, 5, undefined);
  assert.deepEqual(history.span(), [1219, 1399]);
  assert.ok(history.columns[0][0] >= 1399 - 190);
  history.add(900, 1, 1);  // the router's clock was set back
  assert.deepEqual(history.columns, [[900], [1], [1]]);
});
