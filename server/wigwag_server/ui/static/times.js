// Keeps "3 min ago" true. The words are those of the server (ui/words.py).

const STEPS = [[60, "s", 1], [3600, "min", 60], [86400, "h", 3600], [86400 * 60, "d", 86400]];

function said(at, now) {
  const seconds = (now - at) / 1000;
  const span = Math.abs(seconds);
  if (span < 5) return "now";
  const step = STEPS.find(([below]) => span < below);
  if (!step) return new Date(at).toISOString().slice(0, 10);
  const words = `${Math.floor(span / step[2])} ${step[1]}`;
  return seconds < 0 ? `in ${words}` : `${words} ago`;
}

export function startTimes() {
  setInterval(() => {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const words = said(Date.parse(time.dateTime), Date.now());
      if (time.textContent !== words) time.textContent = words;
    }
  }, 10000);
}
