/** The first page of a list that was loaded anew, before the pages behind it that were loaded earlier: those go on where the new one ends. */
export function withFirst<T>(old: { items: readonly T[]; next?: string | null }, first: { items: T[]; next?: string | null }, keyOf: (item: T) => string): { items: T[]; next: string | null } {
  const last = first.items.at(-1);
  const next = first.next ?? null;
  if (last === undefined || next === null) return { items: first.items, next };
  const at = old.items.findIndex((i) => keyOf(i) === keyOf(last));
  // Where the ends do not meet, what was behind is left out: it is loaded again when it is scrolled to.
  if (at < 0) return { items: first.items, next };
  const rest = old.items.slice(at + 1);
  return rest.length === 0 ? { items: first.items, next } : { items: [...first.items, ...rest], next: old.next ?? null };
}
