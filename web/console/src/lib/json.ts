export interface Token {
  text: string;
  kind: 'key' | 'string' | 'number' | 'word' | 'plain';
}

/** What a value is to a reader: JSON in a string (as workflows keep their inputs) is the JSON; UTF-8 text is text. */
export function unwrap(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const text = value.trim();
  if (!/^[[{"]|^(?:-?\d|true$|false$|null$)/.test(text)) return value;
  try {
    return JSON.parse(text);
  } catch {
    return value;
  }
}

export function pretty(value: unknown): string {
  const content = unwrap(value);
  if (content === undefined) return '';
  return typeof content === 'string' ? content : JSON.stringify(content, null, 2);
}

/** One line for a table or a bar. */
export function brief(value: unknown, limit = 120): string {
  const content = unwrap(value);
  if (content === undefined || content === null) return '';
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}

const pattern = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;

/** The tokens of pretty-printed JSON; what is none comes as plain text. */
export function tokens(text: string): Token[] {
  const found: Token[] = [];
  let last = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > last) found.push({ text: text.slice(last, match.index), kind: 'plain' });
    if (match[1] !== undefined && match[2] !== undefined) {
      found.push({ text: match[1], kind: 'key' }, { text: match[2], kind: 'plain' });
    } else {
      found.push({ text: match[0], kind: match[1] !== undefined ? 'string' : match[3] !== undefined ? 'number' : 'word' });
    }
    last = match.index + match[0].length;
  }
  if (last < text.length) found.push({ text: text.slice(last), kind: 'plain' });
  return found;
}

export const isJson = (value: unknown): boolean => typeof unwrap(value) === 'object' && unwrap(value) !== null;
