import { useCallback, useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode, type Ref } from 'react';
import { useSize } from '../api/hooks';
import { scrollTo, visible } from '../lib/virtual';
import { cx, kit } from './kit';

export interface VirtualHandle {
  toEnd: () => void;
  toStart: () => void;
}

interface Props<T> {
  items: readonly T[];
  /** In pixels, at the usual size of text. */
  rowHeight: number;
  label: string;
  keyOf: (item: T) => string;
  render: (item: T, index: number, active: boolean) => ReactNode;
  onOpen?: (item: T) => void;
  /** Close to the first or last row: for pages that follow. */
  onStart?: () => void;
  onEnd?: () => void;
  /** Whether the last row is in sight: by the reader's own scrolling. */
  onAtEnd?: (atEnd: boolean) => void;
  /** Stays at the last row when rows are added. */
  follow?: boolean;
  className?: string;
  ref?: Ref<VirtualHandle>;
}

const overscan = 12;
const usualSize = 13;
const near = 40;

/** A list that draws what is in sight. Arrow keys move the active row, Enter opens it. What is added above does not move what is read. */
export function VirtualList<T>({ items, rowHeight: height, label, keyOf, render, onOpen, onStart, onEnd, onAtEnd, follow, className, ref }: Props<T>) {
  const box = useRef<HTMLDivElement | null>(null);
  const [measure, size] = useSize<HTMLDivElement>();
  const attach = useCallback(
    (element: HTMLDivElement | null) => {
      box.current = element;
      measure(element);
    },
    [measure],
  );
  // With the text grow its rows, whole pixels so that none is blurred.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const rowHeight = useMemo(() => Math.round((height * Number.parseFloat(getComputedStyle(document.documentElement).fontSize)) / usualSize), [height, size.width]);
  const [top, setTop] = useState(0);
  const [active, setActive] = useState<string | null>(null);
  const anchor = useRef<{ key: string; count: number } | null>(null);
  const list = { count: items.length, rowHeight, viewport: size.height || 600, overscan };
  const window_ = visible(list, top);

  useImperativeHandle(ref, () => ({
    toEnd: () => box.current?.scrollTo({ top: box.current.scrollHeight }),
    toStart: () => box.current?.scrollTo({ top: 0 }),
  }));

  // Rows that were added above push the rest down: the bar follows, so that the reader's line stays where it is.
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    if (follow) {
      element.scrollTop = element.scrollHeight;
    } else if (anchor.current && items.length > 0) {
      const first = items[0]!;
      if (keyOf(first) !== anchor.current.key) {
        const known = anchor.current.key;
        const moved = items.findIndex((i) => keyOf(i) === known);
        if (moved > 0 && element.scrollTop > 0) element.scrollTop += moved * rowHeight;
      }
    }
    anchor.current = items.length > 0 ? { key: keyOf(items[0]!), count: items.length } : null;
  }, [items, follow, rowHeight, keyOf]);

  const isNearStart = size.height > 0 && window_.firstVisible < near;
  const isNearEnd = size.height > 0 && items.length - window_.lastVisible < near;
  useEffect(() => {
    if (isNearStart) onStart?.();
  }, [isNearStart, items.length, onStart]);
  useEffect(() => {
    if (isNearEnd) onEnd?.();
  }, [isNearEnd, items.length, onEnd]);

  const activeIndex = active === null ? -1 : items.findIndex((i) => keyOf(i) === active);
  const keys = (e: KeyboardEvent): void => {
    if (e.target !== e.currentTarget) return;
    const page = Math.max(1, Math.floor(list.viewport / rowHeight) - 1);
    const start = activeIndex < 0 ? window_.firstVisible - 1 : activeIndex;
    const moves: Record<string, number> = { ArrowDown: start + 1, ArrowUp: activeIndex < 0 ? window_.lastVisible - 1 : start - 1, PageDown: start + page, PageUp: start - page, Home: 0, End: items.length - 1 };
    const to = moves[e.key];
    if (to !== undefined && items.length > 0) {
      e.preventDefault();
      const index = Math.max(0, Math.min(items.length - 1, to));
      setActive(keyOf(items[index]!));
      const element = box.current!;
      element.scrollTop = scrollTo(list, element.scrollTop, index);
    } else if (e.key === 'Enter' && activeIndex >= 0) {
      e.preventDefault();
      onOpen?.(items[activeIndex]!);
    }
  };

  return (
    <div
      ref={attach}
      className={cx(kit['virtual'], className)}
      role="list"
      aria-label={label}
      tabIndex={0}
      onKeyDown={keys}
      onScroll={(e) => {
        const element = e.currentTarget;
        setTop(element.scrollTop);
        onAtEnd?.(element.scrollTop + element.clientHeight >= element.scrollHeight - rowHeight);
      }}
    >
      <div className={kit['virtualSpace']} style={{ height: window_.height }}>
        <div className={kit['virtualRows']} style={{ top: window_.top }}>
          {items.slice(window_.from, window_.to).map((item, i) => {
            const key = keyOf(item);
            return (
              <div key={key} role="listitem" aria-posinset={window_.from + i + 1} aria-setsize={items.length} style={{ height: rowHeight }}>
                {render(item, window_.from + i, key === active)}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
