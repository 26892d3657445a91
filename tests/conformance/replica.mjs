// The log and its copy, written from docs/protocol.md ("The log", "What a client does with states", "The stream").

const CURSOR = /^(\d{1,15})\.([A-Za-z0-9]{1,32}):(\d{1,15}):([A-Za-z0-9]{1,32})$/;
const HEADS = 4096;

export function cursorOf(text) {
  const match = CURSOR.exec(text);
  if (match === null) throw new Error(`not a cursor: ${text}`);
  const [generation, nonce, revision, head] = match.slice(1);
  return { generation: Number(generation), epoch: `${generation}.${nonce}`, revision: Number(revision), head };
}

const ranksAbove = (one, other) =>
  one.generation === other.generation ? one.revision > other.revision : one.generation > other.generation;

export class Replica {
  cursor = null;
  tables = { flags: {}, segments: {} };
  emergencies = new Map();
  #heads = new Map();

  get id() {
    return this.cursor && `${this.cursor.epoch}:${this.cursor.revision}:${this.cursor.head}`;
  }

  get killed() {
    return new Set([...this.emergencies.values()].flatMap((each) => each.keys));
  }

  apply(epoch, commit) {
    const mine = this.cursor;
    if (mine === null || mine.epoch !== epoch) return "gap";
    const revision = Number(commit.revision);
    if (revision <= mine.revision) {
      const head = this.#heads.get(revision);
      return head !== undefined && head !== commit.head ? "gap" : "ignored";
    }
    if (commit.prev !== mine.head || revision !== mine.revision + 1) return "gap";
    for (const { kind, key, value } of commit.changes) {
      const table = (this.tables[`${kind}s`] ??= {});
      if (value === null) delete table[key];
      else table[key] = value;
    }
    this.#move({ ...mine, revision, head: commit.head });
    for (const id of commit.absorbs ?? []) this.emergencies.delete(id);
    this.#endRevived();
    return "applied";
  }

  load(snapshot) {
    const theirs = cursorOf(snapshot.cursor);
    const isTaken =
      this.cursor === null ||
      (ranksAbove(theirs, this.cursor) && !(theirs.revision === 0 && this.cursor.revision !== 0));
    if (isTaken) {
      const isTable = ([, member]) => member !== null && typeof member === "object" && !Array.isArray(member);
      this.tables = Object.fromEntries(Object.entries(snapshot).filter(isTable));
      this.#heads.clear();
      this.#move(theirs);
      for (const id of Object.keys(this.tables.absorptions ?? {})) this.emergencies.delete(id);
    }
    this.hear({ emergencies: snapshot.emergencies ?? [] });
    return isTaken ? "taken" : "refused";
  }

  hear({ emergencies, ended = [] }) {
    for (const each of emergencies) {
      const isOver = Object.hasOwn(this.tables.absorptions ?? {}, each.id);
      if (!isOver && !this.emergencies.has(each.id)) this.emergencies.set(each.id, each);
    }
    for (const id of ended) this.emergencies.delete(id);
    this.#endRevived();
  }

  // What a heartbeat means: "gap", "proof" (the state was proven current), or "nothing".
  sync(text) {
    const theirs = cursorOf(text);
    if (this.cursor === null || (ranksAbove(theirs, this.cursor) && theirs.revision !== 0)) return "gap";
    const isOurs = theirs.epoch === this.cursor.epoch && this.#heads.get(theirs.revision) === theirs.head;
    return isOurs ? "proof" : "nothing";
  }

  #move(cursor) {
    this.cursor = cursor;
    this.#heads.set(cursor.revision, cursor.head);
    if (this.#heads.size > HEADS) this.#heads.delete(this.#heads.keys().next().value);
  }

  #endRevived() {
    const revivals = this.tables.revivals ?? {};
    for (const [id, each] of this.emergencies) {
      const keys = each.keys.filter((key) => !(Object.hasOwn(revivals, key) && revivals[key].at >= each.at));
      if (keys.length === 0) this.emergencies.delete(id);
      else this.emergencies.set(id, { ...each, keys });
    }
  }
}

// Server-Sent Events, by the rules of the WHATWG.
export class SseParser {
  #decoder = new TextDecoder(); // takes the byte order mark away
  #pending = "";
  #event = "";
  #data = [];
  #id = "";

  feed(bytes) {
    this.#pending += this.#decoder.decode(bytes, { stream: true });
    // A CR at the very end may be the first half of a CRLF.
    const whole = this.#pending.endsWith("\r") ? this.#pending.slice(0, -1) : this.#pending;
    const lines = whole.split(/\r\n|\n|\r/);
    this.#pending = lines.pop() + this.#pending.slice(whole.length);
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line) {
    if (line === "") {
      const events = this.#data.length
        ? [{ event: this.#event || "message", data: this.#data.join("\n"), id: this.#id }]
        : [];
      this.#event = "";
      this.#data = [];
      return events;
    }
    const [, name, value] = /^([^:]*):? ?([^]*)$/.exec(line);
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    return [];
  }
}
