// A client that follows a server, written from docs/protocol.md ("Connecting", "Known current").

import { decide } from "./decide.mjs";
import { parse } from "./json.mjs";
import { cursorOf, Replica, SseParser } from "./replica.mjs";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Client {
  replica = new Replica();
  #provenAt = null;
  #failures = 0;
  #fetchFirst = true;

  constructor(url, key, onChange) {
    this.url = url;
    this.headers = { Authorization: `Bearer ${key}` };
    this.onChange = onChange;
  }

  decide(key, context) {
    const staleForS = this.#provenAt === null ? null : (performance.now() - this.#provenAt) / 1000;
    return decide(this.replica.tables, key, context, staleForS, this.replica.killed);
  }

  async run() {
    for (;;) {
      let waitMs = null;
      try {
        if (this.#fetchFirst) await this.#fetch();
        waitMs = await this.#follow();
      } catch (error) {
        this.onChange("failed", error.message);
      }
      await sleep(waitMs ?? Math.random() * Math.min(30_000, 100 * 2 ** this.#failures++));
    }
  }

  async #fetch() {
    const sentAt = performance.now();
    const known = this.replica.id ? { "If-None-Match": `"${this.replica.id}"` } : {};
    const answer = await fetch(`${this.url}/v1/snapshot`, { headers: { ...this.headers, ...known }, redirect: "error" });
    const type = answer.headers.get("content-type") ?? "";
    const isSnapshot = answer.status === 200 && type.startsWith("application/json");
    if (!isSnapshot && answer.status !== 304) throw new Error(`the snapshot was answered ${answer.status}`);
    const ageMs = answer.headers.get("wigwag-age-ms");
    const etag = answer.headers.get("etag");
    if (isSnapshot) this.onChange(this.replica.load(parse(await answer.text())), "snapshot");
    if (ageMs !== null && etag !== null) this.#prove(etag.replaceAll('"', ""), sentAt - Number(ageMs));
    this.#fetchFirst = false;
  }

  // Follow one stream to its end. Returns how long to wait where the server has said that, else null.
  async #follow() {
    const sentAt = performance.now();
    const known = this.replica.id ? { "Last-Event-ID": this.replica.id } : {};
    const abandoned = new AbortController();
    const options = { headers: { ...this.headers, ...known }, redirect: "error", signal: abandoned.signal };
    let silenceMs = 15_000;
    let openedAt = Infinity;
    let timer = setTimeout(() => abandoned.abort(), silenceMs);
    try {
      const answer = await fetch(`${this.url}/v1/stream`, options);
      if (answer.status !== 200) throw new Error(`the stream was answered ${answer.status}`);
      const parser = new SseParser();
      for await (const chunk of answer.body) {
        clearTimeout(timer);
        timer = setTimeout(() => abandoned.abort(), silenceMs);
        for (const event of parser.feed(chunk)) {
          const data = parse(event.data);
          if (event.event === "hello") {
            silenceMs = 3 * Number(data.heartbeatMs);
            openedAt = performance.now();
            this.onChange("hello", data.outcome);
          } else if (event.event === "goodbye") return Number(data.retryMs);
          else if (this.#take(event, data, sentAt) === "gap") {
            this.#fetchFirst = true;
            return null;
          }
        }
      }
      return null;
    } finally {
      clearTimeout(timer);
      abandoned.abort();
      if (performance.now() - openedAt >= 60_000) this.#failures = 0;
    }
  }

  #take(event, data, sentAt) {
    switch (event.event) {
      case "put":
        return this.#changed(this.replica.load(data), "put");
      case "patch":
        return this.#changed(this.replica.apply(cursorOf(event.id).epoch, data), "patch");
      case "emergency":
        return this.#changed(this.replica.hear(data), "emergency");
      case "sync":
        if (data.provenMs !== null) this.#prove(data.cursor, sentAt + Number(data.provenMs));
        return this.replica.sync(data.cursor);
      default:
        return undefined;
    }
  }

  #changed(outcome, by) {
    this.onChange(outcome, by);
    return outcome;
  }

  #prove(cursor, at) {
    if (this.replica.sync(cursor) === "proof") this.#provenAt = Math.max(this.#provenAt ?? -Infinity, at);
  }
}
