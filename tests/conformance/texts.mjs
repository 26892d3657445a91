// Date-times and versions in texts, as rules compare them. Null is what is none.

const DATE_TIME =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

export function dateTime(text) {
  const match = typeof text === "string" && text.length <= 128 ? DATE_TIME.exec(text) : null;
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isADay = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (year === 0 || !isADay || hour > 23 || minute > 59 || second > 59) return null;
  const offset = match[8] ? (match[8] === "-" ? -60 : 60) * (Number(match[9]) * 60 + Number(match[10])) : 0;
  const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset;
  return BigInt(seconds) * 1_000_000_000n + BigInt((match[7] ?? "").slice(0, 9).padEnd(9, "0"));
}

const NUMBER = "0|[1-9]\\d*";
const WORD = `(?:${NUMBER}|\\d*[A-Za-z-][0-9A-Za-z-]*)`;
const VERSION = new RegExp(
  `^(${NUMBER})\\.(${NUMBER})\\.(${NUMBER})(?:-(${WORD}(?:\\.${WORD})*))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
);

// Parts to compare one by one: the three numbers, 1 for a release or 0, and of a pre-release a kind and a value each.
export function version(text) {
  const match = typeof text === "string" && text.length <= 256 ? VERSION.exec(text) : null;
  if (match === null) return null;
  const numbers = match.slice(1, 4).map(BigInt);
  if (match[4] === undefined) return [...numbers, 1n];
  const parts = match[4].split(".").flatMap((part) => (/^\d+$/.test(part) ? [0n, BigInt(part)] : [1n, part]));
  return [...numbers, 0n, ...parts];
}
