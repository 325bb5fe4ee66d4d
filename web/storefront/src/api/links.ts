/** The cursor of `rel="next"` in a header `Link` (RFC 8288), if there is one. */
export function nextOf(header: string | null): string | undefined {
  for (const part of header?.split(/,(?=\s*<)/) ?? []) {
    const match = /^\s*<([^>]*)>(.*)$/.exec(part)
    if (match && /;\s*rel="?next"?/i.test(match[2]!)) return new URL(match[1]!, 'http://gateway').searchParams.get('cursor') ?? undefined
  }
  return undefined
}
