// JSON that keeps 1 and 1.0 apart, as ids need it: whole numbers become BigInt, all others Number.

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

export function parse(text) {
  const marked = text.replace(TOKEN, (token) => (/^-?\d+$/.test(token) ? `{"$int":"${token}"}` : token));
  return JSON.parse(marked, (_, value) => (value && typeof value.$int === "string" ? BigInt(value.$int) : value));
}

export function stringify(value) {
  return JSON.stringify(value, (_, each) => (typeof each === "bigint" ? Number(each) : each));
}
