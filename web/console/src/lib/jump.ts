export interface Target {
  label: string;
  hint: string;
  to: string;
}

const traceId = /^[0-9a-f]{32}$/i;
const orderId = /^ORD-/i;

/** What a typed text may mean: a trace, an order or instance, a page or app whose name holds its letters in order. */
export function jumps(text: string, places: readonly Target[]): Target[] {
  const typed = text.trim();
  const found: Target[] = [];
  if (traceId.test(typed)) {
    found.push({ label: typed, hint: 'trace', to: `/traces/${typed.toLowerCase()}` }, { label: typed, hint: 'its log lines', to: `/logs?trace=${typed.toLowerCase()}` });
  } else if (orderId.test(typed)) {
    found.push({ label: typed, hint: 'order', to: `/order/${encodeURIComponent(typed)}` });
  }
  const scored = places
    .map((place) => ({ place, score: score(typed.toLowerCase(), `${place.label} ${place.hint}`.toLowerCase()) }))
    .filter((p) => p.score > 0)
    .sort((a, b) => b.score - a.score);
  found.push(...scored.map((p) => p.place));
  if (typed && !traceId.test(typed)) {
    if (!orderId.test(typed)) found.push({ label: typed, hint: 'open the workflow instance', to: `/order/${encodeURIComponent(typed)}` });
    found.push({ label: typed, hint: 'search the logs', to: `/logs?text=${encodeURIComponent(typed)}` }, { label: typed, hint: 'search the workflows', to: `/workflows?text=${encodeURIComponent(typed)}` });
  }
  return found;
}

/** 0: the letters are not there in this order. A whole word counts more than scattered letters. */
function score(typed: string, text: string): number {
  if (!typed) return 1;
  const whole = text.indexOf(typed);
  if (whole === 0) return 100;
  if (whole > 0) return text[whole - 1] === ' ' ? 80 : 50;
  let at = 0;
  for (const letter of typed) {
    at = text.indexOf(letter, at) + 1;
    if (at === 0) return 0;
  }
  return 10;
}
