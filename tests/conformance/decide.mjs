// Decisions, written from docs/model.md and docs/protocol.md ("Deciding") and nothing else.

import { dateTime, version } from "./texts.mjs";

const isNumber = (value) => typeof value === "bigint" || typeof value === "number";
const isText = (value) => typeof value === "string";
const own = (table, key) => (Object.hasOwn(table, key) ? (table[key] ?? undefined) : undefined);

// Buckets

function utf8(text) {
  const bytes = [];
  for (const character of text) {
    const code = character.codePointAt(0);
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return bytes;
}

const rotated = (word, by) => (word << by) | (word >>> (32 - by));
const mixed = (word) => Math.imul(rotated(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);

export function murmur3(bytes, seed) {
  let hash = seed;
  const whole = bytes.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    hash = (Math.imul(rotated(hash ^ mixed(word), 13), 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let at = bytes.length - 1; at >= whole; at--) rest = (rest << 8) | bytes[at];
  if (bytes.length > whole) hash ^= mixed(rest);
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export function idOf(value) {
  if (isText(value)) return value;
  return typeof value === "bigint" ? value.toString() : null;
}

export function bucket(flagKey, value, seed) {
  const id = idOf(value);
  return id === null ? null : Number((BigInt(murmur3(utf8(`${flagKey}:${id}`), seed)) * 100000n) >> 32n);
}

export function rolloutLimit(percentage) {
  const exact = Number(percentage) * 1000;
  const floor = Math.floor(exact);
  const half = exact - floor;
  const rounded = half > 0.5 || (half === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  return Math.min(Math.max(rounded, 0), 100000);
}

export function splitLimits(weights) {
  const counted = weights.map((weight) => (Number.isFinite(Number(weight)) && weight > 0 ? Number(weight) : 0));
  const sum = counted.reduce((before, weight) => before + weight, 0);
  if (!(sum > 0 && Number.isFinite(sum))) return [];
  let reached = 0;
  return counted.map((weight) => Math.floor(((reached += weight) / sum) * 100000 + 0.5));
}

// Rules

function equal(operand, value) {
  if (isNumber(operand)) return isNumber(value) && value == operand;
  return value === operand;
}

const isScalar = (operand) => isNumber(operand) || isText(operand) || typeof operand === "boolean";
const inOrder = (holds) => (operand, value) => isNumber(operand) && isNumber(value) && holds(value, operand);
const read = (reader, holds) => (operand, value) => {
  const [bound, found] = [reader(operand), reader(value)];
  return bound !== null && found !== null && holds(found, bound);
};
const order = (one, other) => {
  for (let at = 0; at < Math.min(one.length, other.length); at++) {
    if (one[at] < other[at]) return -1;
    if (one[at] > other[at]) return 1;
  }
  return one.length - other.length;
};
const present = (value) => value !== undefined;
const isOneOf = (list, value) => list.some((each) => isScalar(each) && equal(each, value));

const OPERATORS = {
  equals: (operand, value) => isScalar(operand) && equal(operand, value),
  notEquals: (operand, value) => isScalar(operand) && present(value) && !equal(operand, value),
  in: (operand, value) => Array.isArray(operand) && isOneOf(operand, value),
  notIn: (operand, value) => Array.isArray(operand) && present(value) && !isOneOf(operand, value),
  contains: (operand, value) => {
    if (isText(value)) return isText(operand) && value.includes(operand);
    return isScalar(operand) && Array.isArray(value) && value.some((each) => equal(operand, each));
  },
  startsWith: (operand, value) => isText(operand) && isText(value) && value.startsWith(operand),
  endsWith: (operand, value) => isText(operand) && isText(value) && value.endsWith(operand),
  greaterThan: inOrder((value, bound) => value > bound),
  greaterThanOrEqual: inOrder((value, bound) => value >= bound),
  lessThan: inOrder((value, bound) => value < bound),
  lessThanOrEqual: inOrder((value, bound) => value <= bound),
  before: read(dateTime, (value, bound) => value < bound),
  after: read(dateTime, (value, bound) => value > bound),
  semverEquals: read(version, (value, bound) => order(value, bound) === 0),
  semverGreaterThan: read(version, (value, bound) => order(value, bound) > 0),
  semverLessThan: read(version, (value, bound) => order(value, bound) < 0),
  exists: (operand, value) => (operand === false ? !present(value) : (operand ?? true) === true && present(value)),
};

function matches(rule, context, segments) {
  const value = own(context, rule.attribute);
  if (rule.operator === "inSegment" || rule.operator === "notInSegment") {
    const keys = (Array.isArray(rule.value) ? rule.value : [rule.value]).filter(isText);
    const id = idOf(value);
    if (id === null || keys.length === 0 || keys.some((key) => !own(segments, key))) return false;
    return keys.some((key) => isIn(segments[key], id, context)) === (rule.operator === "inSegment");
  }
  return Object.hasOwn(OPERATORS, rule.operator) && OPERATORS[rule.operator](rule.value ?? undefined, value);
}

function isIn(segment, id, context) {
  if ((segment.exclude ?? []).includes(id)) return false;
  if ((segment.include ?? []).includes(id)) return true;
  const rules = segment.rules ?? [];
  return rules.length > 0 && rules.every((rule) => matches(rule, context, {}));
}

// The order of decision. `killed` has the keys that are killed outside of their flags.

export function decide({ flags, segments }, key, context, staleForS, killed = new Set(), asked = []) {
  const off = (reason, more) => ({ enabled: false, reason, variant: null, value: undefined, ...more });
  if (killed.has(key)) return off("KILLED");
  const flag = own(flags, key);
  if (!flag) return off("UNKNOWN_FLAG");
  if (flag.kill) return off("KILLED");
  if (!flag.enabled) return off("DISABLED");
  if (isNumber(flag.failSafeAfter) && (staleForS ?? Infinity) > flag.failSafeAfter) return off("FAIL_SAFE");
  for (const required of flag.requires ?? []) {
    const path = [...asked, key];
    const other = path.includes(required.flag)
      ? off("PREREQUISITE")
      : decide({ flags, segments }, required.flag, context, staleForS, killed, path);
    const isMet = other.enabled && (required.variant ?? other.variant) === other.variant;
    if (!isMet || !own(flags, required.flag)) return off("PREREQUISITE", { prerequisite: required.flag });
  }
  const user = idOf(own(context, "userId"));
  if ((flag.blacklist ?? []).includes(user)) return off("BLACKLISTED");
  const bucketOf = (seed) => bucket(key, own(context, flag.bucketBy ?? "userId"), seed);
  const on = (reason, arm, more) => ({ enabled: true, reason, ...picked(arm, bucketOf), ...more });
  if ((flag.whitelist ?? []).includes(user)) return on("WHITELISTED", flag);

  const holds = (rule) => matches(rule, context, segments);
  const override = (flag.overrides ?? []).find((each) => (each.rules ?? []).every(holds));
  const arm = override ?? flag;
  const seen = override ? { override: override.name } : {};
  if (!override) {
    const rule = (flag.rules ?? []).findIndex((each) => !holds(each));
    if (rule >= 0) return off("RULE_MISMATCH", { rule });
  }
  const limit = rolloutLimit(arm.rolloutPercentage ?? 100);
  if (limit === 0) return off("ROLLOUT", seen);
  if (limit < 100000) {
    const found = bucketOf(0);
    if (found === null) return off("NO_BUCKET_KEY", seen);
    seen.bucket = found;
    return found < limit ? on("ROLLOUT", arm, seen) : off("ROLLOUT", seen);
  }
  if (override) return on("OVERRIDE", arm, seen);
  return on((flag.rules ?? []).length > 0 ? "RULE_MATCH" : "STATIC", flag);
}

function picked(arm, bucketOf) {
  const variants = arm.variants ?? [];
  const limits = splitLimits(variants.map((variant) => variant.weight));
  const pickable = limits.map((limit, at) => ({ limit, at })).filter(({ limit, at }) => limit > (limits[at - 1] ?? 0));
  if (pickable.length === 0) return { variant: null };
  if (pickable.length === 1) return { variant: variants[pickable[0].at].name, value: variants[pickable[0].at].value };
  const split = bucketOf(1);
  if (split === null) return { variant: null };
  const { at } = pickable.find(({ limit }) => split < limit);
  return { variant: variants[at].name, value: variants[at].value, split };
}
