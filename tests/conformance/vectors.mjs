// Runs the vectors in a folder, and prints how many cases passed and which failed, as JSON.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { bucket, decide, rolloutLimit, splitLimits } from "./decide.mjs";
import { parse, stringify } from "./json.mjs";
import { Replica, SseParser } from "./replica.mjs";

const plain = (value) => JSON.parse(stringify(value));

function decided({ flags, segments, flag, context, staleForS }, expect) {
  const decision = decide({ flags, segments }, flag, context, staleForS);
  return Object.fromEntries(Object.keys(expect).map((field) => [field, decision[field] ?? null]));
}

function held(replica, step) {
  const [what] = Object.keys(step).filter((name) => name !== "expect");
  const given = step[what];
  const outcome = {
    load: () => replica.load(given),
    patch: () => replica.apply(given.epoch, given.commit),
    emergency: () => (replica.hear(given), "heard"),
    sync: () => replica.sync(given),
  }[what]();
  const { flags = {} } = replica.tables;
  return plain({ outcome, cursor: replica.id, flags, killed: [...replica.killed].sort() }); // as it is now
}

const RUNNERS = {
  bucketing: (one) => [
    { rollout: bucket(one.flag, one.value, 0), split: bucket(one.flag, one.value, 1) },
    { rollout: one.rollout, split: one.split },
  ],
  rollout: (one) => [rolloutLimit(one.percentage), one.limit],
  split: (one) => [splitLimits(one.weights), one.limits],
  operators: (one) => {
    const rule = { attribute: "x", operator: one.operator, value: one.operand };
    const context = Object.hasOwn(one, "value") ? { x: one.value } : {};
    return [decide({ flags: { f: { enabled: true, rules: [rule] } }, segments: {} }, "f", context, 0).enabled, one.matches];
  },
  decisions: (one) => [decided(one, one.expect), one.expect],
  segments: (one) => [decided(one, one.expect), one.expect],
  replica: (one) => {
    const replica = new Replica();
    return [one.steps.map((step) => held(replica, step)), one.steps.map((step) => step.expect)];
  },
  stream: (one) => {
    const parser = new SseParser();
    const bytes = Buffer.from(one.text);
    const ends = [...one.cuts.map(Number), bytes.length];
    const events = ends.flatMap((end, at) => parser.feed(bytes.subarray(at ? ends[at - 1] : 0, end)));
    return [events, one.events];
  },
};

const passed = {};
const failed = [];
for (const [name, run] of Object.entries(RUNNERS)) {
  const { cases } = parse(readFileSync(join(process.argv[2], `${name}.json`), "utf8"));
  passed[name] = 0;
  for (const [index, one] of cases.entries()) {
    const [found, expected] = plain(run(one));
    if (isDeepStrictEqual(found, expected)) passed[name] += 1;
    else failed.push({ file: name, index, name: one.name ?? null, found, expected });
  }
}
console.log(JSON.stringify({ passed, failed }));
