// UplinkCard: one uplink, as an article of the page.
import {Chart} from "./chart.js";
import {element, keep, setAttribute, setParagraphs, setText} from "./dom.js";
import {History} from "./history.js";
import {levelOf, standing} from "./state.js";
import {age, clock, count, delay, percent, rate, rateParts, sentence} from "./words.js";

export const SIGNS = {good: "✓", warn: "!", bad: "✕", calm: "–", unknown: "?"};

function fact(name) {
  const value = element("dd");
  return {value, row: element("div", {}, element("dt", {}, name), value)};
}

// "In 4.2 Mbit/s of 10 Mbit/s", with the stroke of its line in the chart.
function rateFigure(name, kind) {
  const number = element("span", {class: "number"});
  const unit = element("span", {class: "unit"});
  const limit = element("span", {class: "limit"});
  const node = element("p", {class: `rate ${kind}`},
      element("span", {class: "name"},
          element("span", {class: "stroke", "aria-hidden": "true"}), name, " "),
      number, "\u00a0", unit, " ", limit);
  return {node, update(bits, capacity) {
    const parts = rateParts(bits);
    setText(number, parts.number);
    setText(unit, parts.unit);
    setText(limit, capacity > 0 ?
        `${percent(bits / capacity)} of ${rate(capacity)}` : "");
  }};
}

function shareBar(name) {
  const fill = element("span", {class: "fill"});
  const value = element("span", {class: "value"});
  const node = element("p", {class: `share ${name}`},
      element("span", {class: "name"}, name),
      element("span", {class: "bar", "aria-hidden": "true"}, fill), value);
  return {node, update(ratio) {
    fill.style.inlineSize = `${Math.min(100, ratio * 100)}%`;
    setText(value, percent(ratio));
  }};
}

function probeLine(probe) {
  const [sign, words] = probe.answered === undefined ? ["?", "not asked now"] :
      probe.answered ? ["✓", `answered in ${delay(probe.latency ?? 0)}`] :
      ["✕", probe.fault];
  return `${sign} ${probe.name}: ${words}`;
}

export class UplinkCard {
  constructor(uplink) {
    this.history = new History();
    const id = `uplink-${uplink.name}`;
    this.link = element("span", {class: "link"});
    this.sign = element("span", {class: "sign", "aria-hidden": "true"});
    this.phase = element("span");
    this.pill = element("p", {class: "pill"}, this.sign, this.phase);
    this.since = element("p", {class: "since quiet"});
    this.reason = element("p", {class: "reason"});
    this.receive = rateFigure("In", "in");
    this.transmit = rateFigure("Out", "out");
    this.figure = element("div", {class: "chart"});
    this.uncounted = element("p", {class: "quiet uncounted"},
        "No rates: other uplinks are on this interface too.");
    this.intended = shareBar("intended");
    this.achieved = shareBar("achieved");
    this.facts = {
      connections: fact("Connections"),
      health: fact("Health"),
      latency: fact("Latency"),
      loss: fact("Loss"),
    };
    this.probes = element("div", {class: "probes"});
    this.fold = element("details", {},
        element("summary", {}, "Probes", element("span", {class: "hidden"},
            ` of ${uplink.name}`)), this.probes);
    this.rates = element("div", {class: "rates"},
        this.receive.node, this.transmit.node);
    this.node = element("article", {class: "card", "aria-labelledby": id},
        element("header", {},
            element("div", {}, element("h3", {id}, uplink.name), this.link),
            element("div", {class: "phase"}, this.pill, this.since)),
        this.reason, this.rates, this.figure, this.uncounted,
        element("div", {class: "shares"},
            element("p", {class: "caption"}, "Share of new connections"),
            this.intended.node, this.achieved.node),
        element("dl", {class: "facts"},
            ...Object.values(this.facts).map((one) => one.row)),
        this.fold);
  }

  update(uplink, time) {
    const level = levelOf(uplink);
    setAttribute(this.node, "data-level", level);
    setAttribute(this.node, "data-phase", uplink.phase);
    setText(this.link, uplink.interface);
    setText(this.sign, SIGNS[level]);
    setText(this.phase, standing(uplink));
    setText(this.since, uplink.since === undefined ? "" :
        `for ${age(time - uplink.since)}`);
    this.since.title = uplink.since === undefined ? "" :
        `since ${clock(uplink.since, time)}`;
    const reason = uplink.reason || uplink.health?.reason || "";
    setText(this.reason, sentence(reason));
    this.reason.hidden = reason === "";
    this.updateRates(uplink, time);
    this.intended.update(uplink.intended);
    this.achieved.update(uplink.achieved);
    setText(this.facts.connections.value, count(uplink.connections));
    this.updateHealth(uplink.health);
  }

  updateRates(uplink, time) {
    const counted = uplink.receive !== undefined;
    this.uncounted.hidden = counted;
    this.rates.hidden = this.figure.hidden = !counted;
    this.history.add(time, uplink.receive, uplink.transmit);
    if (!counted) return;
    this.receive.update(uplink.receive, uplink.download);
    this.transmit.update(uplink.transmit, uplink.upload);
    // It asks for its width, which there is only in the document.
    this.chart ??= new Chart(this.figure, this.history);
    this.chart.update(uplink);
  }

  updateHealth(health) {
    setText(this.facts.health.value, health ? health.state : "not probed");
    // Without a link nothing is asked, so nothing is lost either.
    const asked = health?.probes.some((probe) => probe.answered !== undefined);
    for (const name of ["latency", "loss"]) {
      this.facts[name].row.hidden = !asked;
    }
    this.fold.hidden = !health;
    if (!health) return;
    setText(this.facts.latency.value,
            health.latency === undefined ? "unknown" : delay(health.latency));
    setText(this.facts.loss.value, percent(health.loss));
    setParagraphs(this.probes, health.probes.map(probeLine));
  }

  gone() {
    this.chart?.destroy();
  }
}

// Shows `uplinks` below `parent`; `known` is a Map that this function keeps.
export function showUplinks(parent, known, state) {
  keep(parent, known, state.uplinks, (uplink) => uplink.name,
       (uplink) => new UplinkCard(uplink),
       (card, uplink) => card.update(uplink, state.published));
}
