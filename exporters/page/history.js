// History: the rates of the last minutes, as this page has seen them. Pure.
//
// Columns as uPlot wants them: times in seconds, then receive and transmit in
// bits per second. A gap (the agent did not answer) is a null, not a line.

const MINUTES = 3;  // that are kept, and shown once they have passed
const GAP = 4;  // seconds without a sample

export class History {
  constructor() {
    this.columns = [[], [], []];
  }

  // `time` as the router's clock has it. One that stands still, or was set
  // back, adds nothing: the sample is known, or the past begins anew.
  add(time, receive, transmit) {
    const last = this.columns[0].at(-1);
    if (time === last) return;
    if (last !== undefined && time < last) this.columns = [[], [], []];
    if (last !== undefined && time - last > GAP) this.push(last + 1, null, null);
    this.push(time, receive ?? null, transmit ?? null);
    const old = this.columns[0].findIndex((at) => at >= time - MINUTES * 60 - GAP);
    for (const column of this.columns) column.splice(0, old);
  }

  // From when to when to show: whole minutes, of which the first one begins
  // before the first sample.
  span() {
    const times = this.columns[0];
    const last = times.at(-1) ?? 0;
    const minutes = Math.ceil((last - (times[0] ?? 0)) / 60);
    return [last - 60 * Math.min(MINUTES, Math.max(1, minutes)), last];
  }

  push(...values) {
    values.forEach((value, i) => this.columns[i].push(value));
  }

  highest(column) {
    return Math.max(0, ...this.columns[column].filter((value) => value !== null));
  }
}
