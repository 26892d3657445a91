// Two people have edited the same record: what the one has changed, on top of what the other has written.

export const equal = (one, other) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]));
}

export function changed(before, after) {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => !equal(before[name], after[name]));
}

// Return the draft on top of theirs, field by field, and the fields that both have changed, each otherwise.
export function onTop(base, mine, theirs) {
  const own = changed(base, mine);
  const both = own.filter((name) => !equal(base[name], theirs[name]) && !equal(mine[name], theirs[name]));
  const merged = { ...theirs };
  for (const name of own) merged[name] = mine[name];
  return { merged, both };
}
