// What a reader who does not see, or sees little, needs of a page. Runs inside
// the page; returns a list of faults in words.
//
// Contrast is that of WCAG 2.1 (AA): 4.5 for text; 3 for what is drawn.
export function findFaults() {
  const faults = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const seen = (node) => node.checkVisibility({visibilityProperty: true}) &&
      node.getClientRects().length > 0;
  const called = (node) =>
      `<${node.tagName.toLowerCase()} class="${node.className}" id="${node.id}">`;
  const nameOf = (node) => {
    const by = node.getAttribute("aria-labelledby");
    if (by) return by.split(" ").map((id) => document.getElementById(id)?.textContent).join(" ");
    return (node.getAttribute("aria-label") || node.textContent).trim();
  };
  const demand = (good, words) => { if (!good) faults.push(words); };

  // Structure.
  demand(document.documentElement.lang, "the page names no language");
  demand(document.title, "the page has no title");
  for (const landmark of ["main", "body > header", "body > footer", "h1"]) {
    demand(all(landmark).length === 1, `${landmark}: ${all(landmark).length} of it`);
  }
  let level = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6").filter(seen)) {
    const next = Number(heading.tagName[1]);
    demand(next <= level + 1, `${called(heading)} follows a heading of level ${level}`);
    level = next;
  }
  const ids = all("[id]").map((node) => node.id);
  demand(new Set(ids).size === ids.length, "an id is there twice");
  for (const attribute of ["aria-labelledby", "aria-controls"]) {
    for (const node of all(`[${attribute}]`)) {
      demand(document.getElementById(node.getAttribute(attribute)),
             `${called(node)}: ${attribute} names nothing`);
    }
  }
  const live = all("[aria-live], [role=status], [role=alert]");
  demand(live.length === 1 && live[0].querySelector("h1"),
         "not only the headline is read out when it changes");

  // Controls, regions and pictures have names.
  for (const node of all("a[href], button, summary, input, select, [tabindex], [role=img], [role=region], article, section").filter(seen)) {
    const named = node.tagName !== "SECTION" || node.hasAttribute("aria-labelledby") ||
        node.querySelector("h1");
    demand(nameOf(node) && named, `${called(node)} has no name`);
  }
  for (const node of all("button, summary").filter(seen)) {
    demand(node.getBoundingClientRect().height >= 24, `${called(node)} is too small`);
  }
  demand(all("canvas").every((node) => node.closest("[role=img][aria-label]")),
         "a chart has no alternative");
  for (const pill of all(".pill")) {
    demand(/^\S\w+/.test(pill.textContent), `${called(pill)} is a colour alone`);
  }

  // Contrast.
  const parse = (text) => {
    const parts = text.match(/^rgba?\((\d+), (\d+), (\d+)(?:, ([\d.]+))?\)$/);
    if (!parts) throw new Error(`which colour is ${text}?`);
    return [...parts.slice(1, 4).map(Number), Number(parts[4] ?? 1)];
  };
  const over = (top, below) => [0, 1, 2].map(
      (i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const ground = (node) => {
    if (!node) return [255, 255, 255, 1];
    const own = parse(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(node.parentElement));
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let lowest = Infinity;
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !seen(node)) continue;
    const below = ground(node);
    const ratio = contrast(over(parse(getComputedStyle(node).color), below), below);
    lowest = Math.min(lowest, ratio);
    demand(ratio >= 4.5, `${called(node)}: contrast ${ratio.toFixed(2)}: ` +
        texts.currentNode.textContent.trim());
  }
  const probe = document.body.appendChild(document.createElement("i"));
  const variable = (name) => {
    probe.style.color = `var(${name})`;
    return parse(getComputedStyle(probe).color);
  };
  for (const [name, least] of [["--in", 3], ["--out", 3], ["--capacity", 3], ["--quiet", 4.5]]) {
    const ratio = contrast(variable(name), variable("--card"));
    demand(ratio >= least, `in the charts ${name} has a contrast of ${ratio.toFixed(2)}`);
  }
  probe.remove();
  demand(lowest < Infinity, "there is no text");
  return faults;
}

// Every text that reaches beyond the sides of the window, unless it can be
// scrolled there.
export function findOverflow() {
  const width = document.documentElement.clientWidth;
  const faults = [];
  if (document.documentElement.scrollWidth > width) {
    faults.push(`the page is ${document.documentElement.scrollWidth} wide in ${width}`);
  }
  for (const node of document.querySelectorAll("body *")) {
    if (!node.checkVisibility() || node.closest(".hidden, .skip, .chart, pre")) continue;
    const box = node.getBoundingClientRect();
    if (box.right > width + 0.5 || box.left < -0.5) {
      faults.push(`<${node.tagName.toLowerCase()} class="${node.className}"> ` +
          `from ${box.left} to ${box.right} in ${width}`);
    }
    if (node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0 &&
        getComputedStyle(node).overflowX === "hidden") {
      faults.push(`<${node.tagName.toLowerCase()} class="${node.className}"> is cut`);
    }
  }
  return faults;
}
