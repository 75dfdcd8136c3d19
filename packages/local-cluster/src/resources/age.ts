const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** Below each limit (in seconds) a time is told in these units; the last row that holds counts. */
const STEPS = [
  { below: 2 * MINUTE, big: 1, bigName: "s" },
  { below: 10 * MINUTE, big: MINUTE, bigName: "m", small: 1, smallName: "s" },
  { below: 3 * HOUR, big: MINUTE, bigName: "m" },
  { below: 8 * HOUR, big: HOUR, bigName: "h", small: MINUTE, smallName: "m" },
  { below: 2 * DAY, big: HOUR, bigName: "h" },
  { below: 8 * DAY, big: DAY, bigName: "d", small: HOUR, smallName: "h" },
  { below: 2 * YEAR, big: DAY, bigName: "d" },
  { below: Number.POSITIVE_INFINITY, big: YEAR, bigName: "y" },
];

/** How long ago a time is, as `kubectl` prints it: two units while the figure is small, one after that. */
export function ageSince(time: string | undefined, now: Date): string {
  if (time === undefined) return "<unknown>";
  const seconds = Math.max(0, Math.floor((now.getTime() - Date.parse(time)) / 1000));
  for (const { below, big, bigName, small, smallName } of STEPS) {
    if (seconds >= below) continue;
    const rest = small === undefined ? 0 : Math.floor((seconds % big) / small);
    return `${Math.floor(seconds / big)}${bigName}${rest > 0 ? `${rest}${smallName}` : ""}`;
  }
  return "<unknown>";
}
