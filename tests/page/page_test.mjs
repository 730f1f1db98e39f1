// The live page in Chromium, at a client of a router through which traffic flows.
//
//   node page_test.mjs URL PID-OF-THE-AGENT NAMESPACE-OF-THE-ROUTER
//
// Takes an uplink down and up again, and stops the agent for a moment. Leaves
// screenshots beside itself. Prints how long each part took; exits with 1 at
// the first fault.
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {dirname} from "node:path";
import {fileURLToPath} from "node:url";
import {chromium} from "playwright-core";
import {findFaults, findOverflow} from "./accessibility.mjs";

const [url, agent, router] = [process.argv[2], Number(process.argv[3]), process.argv[4]];
const folder = dirname(fileURLToPath(import.meta.url));
const SOON = 3000;  // milliseconds: within it the page says what happened
const PHONE = {width: 360, height: 780};
const DESK = {width: 1280, height: 900};

// `ip WORD...` in the router.
const ip = (...words) => execFileSync("nsenter", [`--net=${router}`, "ip", ...words]);

// What the page must not do.
const faults = [];
let silenced = false;  // the agent is stopped: requests fail

function watch(page) {
  page.on("pageerror", (error) => faults.push(`error: ${error.stack}`));
  page.on("console", (message) => {
    const expected = silenced && message.text().includes("net::ERR_");
    if (["error", "warning"].includes(message.type()) && !expected) {
      faults.push(`console: ${message.text()}`);
    }
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) faults.push(`asks ${request.url()}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) {
      faults.push(`${response.status()}: ${response.url()}`);
    }
  });
}

const title = (page) => page.locator("h1").textContent();

// Waits until the headline is so; how many milliseconds that took.
async function becomes(page, pattern, patience) {
  const began = Date.now();
  try {
    await page.waitForFunction(
        ([source]) => new RegExp(source).test(document.querySelector("h1").textContent),
        [pattern.source], {timeout: patience, polling: 50});
  } catch {
    assert.fail(`after ${patience} ms the headline is "${await title(page)}" ` +
        `and not ${pattern}: ${await page.locator("#details").textContent()}`);
  }
  return Date.now() - began;
}

const card = (page, name) =>
    page.locator("article", {has: page.locator("h3", {hasText: name})});
const pixels = (page, name) => card(page, name).locator("canvas")
    .evaluate((canvas) => canvas.toDataURL());

// In bit/s, as a person reads it.
async function rateIn(page, name) {
  const rate = card(page, name).locator(".rate.in");
  const unit = {"bit/s": 1, "kbit/s": 1e3, "Mbit/s": 1e6}[
      await rate.locator(".unit").textContent()];
  return unit * Number(await rate.locator(".number").textContent());
}

async function showsTraffic(page) {
  await page.goto(url);
  await becomes(page, /^All is well$/, 10000);
  // Shaped to 20 Mbit/s.
  const rates = new Set();
  const charts = new Set();
  for (const began = Date.now(); rates.size < 2 || charts.size < 4;) {
    assert.ok(Date.now() - began < 15000,
              `${charts.size} charts, and the rates stay ${[...rates]}`);
    await page.waitForTimeout(200);
    const rate = await rateIn(page, "wan1");
    assert.ok(rate < 25e6, `${rate} bit/s`);
    if (rate < 1e6) continue;
    rates.add(rate);
    charts.add(await pixels(page, "wan1"));
  }
  assert.match(await card(page, "wan1").locator(".chart").getAttribute("aria-label"),
               /in [\d.]+ Mbit\/s now.*; capacity 20 Mbit\/s\.$/);
  const shares = card(page, "wan1").locator(".share .value");
  assert.equal(await shares.first().textContent(), "67 %");
  await assertSoon(async () => /^[1-9]\d %$/.test(await shares.last().textContent()),
                   "no connections in the shares");
  assert.match(await card(page, "wan1").locator(".facts").textContent(),
               /Health\s*Up\s*Latency\s*[\d.]+ ms\s*Loss\s*0 %/);
}

// Counted each 5 s, or less often on a machine that is busy.
async function countsConnections(page) {
  const connections = card(page, "wan1").locator("dt:text('Connections') + dd");
  await assertSoon(async () => Number(await connections.textContent()) > 0,
                   "no connections");
}

async function assertSoon(holds, words) {
  for (const began = Date.now(); !(await holds());) {
    assert.ok(Date.now() - began < 20000, words);
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

// Whoever has no mouse: everything is reached, in the order of the page, and
// one sees where one is.
async function worksByKeyboard(page) {
  await page.locator("body").click({position: {x: 1, y: 1}});
  const reached = [];
  for (let i = 0; i < 60; ++i) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const node = document.activeElement;
      if (node === document.body) return undefined;
      const before = globalThis.lastStop;
      globalThis.lastStop = node;
      return {
        words: node.textContent.trim().slice(0, 30),
        visible: getComputedStyle(node).outlineStyle !== "none",
        inOrder: !before || Boolean(
            before.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING),
      };
    });
    if (!stop) break;
    assert.ok(stop.visible, `no focus is seen on "${stop.words}"`);
    assert.ok(stop.inOrder, `"${stop.words}" comes too late`);
    reached.push(stop.words);
  }
  for (const words of [/^To the uplinks/, /^Probes of wan1/, /^Probes of wan2/, /step/,
                       /^As YAML/, /^metrics/]) {
    assert.ok(reached.some((stop) => words.test(stop)), `${words} is not in ${reached}`);
  }
  await page.locator("#spec-fold summary").focus();
  await page.keyboard.press("Enter");
  await page.locator("#spec").waitFor({state: "visible"});
  assert.match(await page.locator("#spec").textContent(), /kind: Router[^]*wan2/);
  assert.match(await page.locator("#spec-facts").textContent(),
               /lab, revision 2026-07, generation 1\./);
}

async function tellsOfALostUplink(page) {
  const events = page.locator("#events > li");
  ip("link", "set", "wan2", "down");
  const down = await becomes(page, /^wan2 is /, SOON);
  const details = await page.locator("#details").textContent();
  assert.match(details, /^Since \d\d:\d\d:\d\d: wan2 is down\./);
  assert.match(details, /New connections go to wan1\./);
  await assertSoon(async () => /The agent cut \d+ connections of wan2/.test(
      await page.locator("#details").textContent()), "nothing was done about it");
  assert.match(await card(page, "wan2").locator(".pill").textContent(), /^✕/);
  const told = (await events.allTextContents()).slice(0, 4).join("\n");
  assert.match(told, /Cut \d+ connections of wan2/);
  assert.match(told, /Down.*wan2 went down/);
  assert.match(await card(page, "wan2").locator(".facts").textContent(),
               /Health\s*Unknown/);
  // What was read out changes no more while nothing happens.
  const changes = await page.evaluate(() => new Promise((done) => {
    let count = 0;
    const observer = new MutationObserver((list) => { count += list.length; });
    observer.observe(document.querySelector("[aria-live]"),
                     {childList: true, characterData: true, subtree: true});
    setTimeout(() => { observer.disconnect(); done(count); }, 1500);
  }));
  assert.equal(changes, 0, "the headline is read out again and again");
  await pictures(page, "down");
  ip("link", "set", "wan2", "up");
  const up = await becomes(page, /^All is well$/, SOON);
  assert.match(await card(page, "wan2").locator(".pill").textContent(), /^✓Ready/);
  console.log(`  said so after ${down} ms, and of its return after ${up} ms`);
}

async function saysThatTheAgentIsSilent(page) {
  silenced = true;
  process.kill(agent, "SIGSTOP");
  try {
    await becomes(page, /^The agent does not answer$/, 6000);
    assert.match(await page.locator("#age").textContent(),
                 /^What is shown is \d+ s old\. (Next try in \d+ s\.|Asking again …)$/);
    assert.equal(await page.locator("#freshness").textContent(), "Not live");
    assert.match(await page.locator("#details").textContent(), /Last heard at .*All is well\./);
    await pictures(page, "silent", ["light"]);
    await page.locator("#retry").click();
    await page.getByText("Asking again …").waitFor({timeout: 1000});
  } finally {
    process.kill(agent, "SIGCONT");
  }
  const back = await becomes(page, /^All is well$/, 5000);
  silenced = false;
  assert.ok(await page.locator("#retry").isHidden());
  console.log(`  back after ${back} ms`);
}

async function fitsAPhone(page) {
  await page.setViewportSize(PHONE);
  await page.waitForTimeout(300);  // charts follow their cards
  await page.evaluate(() => document.querySelectorAll("details").forEach(
      (fold) => { fold.open = true; }));
  assert.deepEqual(await page.evaluate(findOverflow), []);
  await page.evaluate(() => document.querySelectorAll("details").forEach(
      (fold) => { fold.open = false; }));
  await page.setViewportSize(DESK);
}

async function isForEverybody(page) {
  await page.evaluate(() => document.querySelectorAll("details").forEach(
      (fold) => { fold.open = true; }));
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({colorScheme});
    assert.deepEqual(await page.evaluate(findFaults), [], colorScheme);
  }
  await page.emulateMedia({colorScheme: "light", reducedMotion: "reduce"});
  assert.equal(await page.evaluate(() => getComputedStyle(
      document.querySelector(".fill")).transitionDuration), "0s");
  await page.emulateMedia({reducedMotion: "no-preference"});
  await page.evaluate(() => document.querySelectorAll("details").forEach(
      (fold) => { fold.open = false; }));
}

async function pictures(page, name, schemes = ["light", "dark"]) {
  for (const colorScheme of schemes) {
    await page.emulateMedia({colorScheme});
    await page.screenshot({path: `${folder}/${name}-${colorScheme}.png`, fullPage: true});
  }
  await page.emulateMedia({colorScheme: "light"});
  if (schemes.length === 1) return;
  await page.setViewportSize(PHONE);
  await page.waitForTimeout(150);
  await page.screenshot({path: `${folder}/${name}-phone.png`, fullPage: true});
  await page.setViewportSize(DESK);
}

const browser = await chromium.launch(
    {executablePath: "/usr/bin/chromium-headless-shell", args: ["--no-sandbox"]});
try {
  const page = await browser.newPage({viewport: DESK, colorScheme: "light"});
  page.setDefaultTimeout(10000);
  watch(page);
  for (const part of [showsTraffic, worksByKeyboard, tellsOfALostUplink, isForEverybody,
                      fitsAPhone, countsConnections, saysThatTheAgentIsSilent]) {
    const began = Date.now();
    await part(page);
    console.log(`${part.name}: ${Date.now() - began} ms`);
  }
  await pictures(page, "well");
  assert.deepEqual(faults, []);
} catch (fault) {
  console.error(fault.message, faults);
  process.exitCode = 1;
} finally {
  await browser.close();
}
