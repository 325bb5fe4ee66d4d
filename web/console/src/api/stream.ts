import { address, type Query } from './api';

const topics = ['status', 'events', 'logs', 'workflows', 'deadLetters', 'traces', 'metrics', 'dapr', 'changes'] as const;
export type Topic = (typeof topics)[number];
export type LiveState = 'connecting' | 'live' | 'waiting';

export interface Interest {
  topics: readonly Topic[];
  /** Filters of the topics, such as the app and level of `logs`. */
  filters?: Query | undefined;
  onMessage: (topic: Topic, data: unknown) => void;
  /** What was missed cannot be filled: lists are to be fetched anew. */
  onReset?: (() => void) | undefined;
}

/** What the hub needs of an EventSource, so that tests can give another. */
export interface Source {
  readyState: number;
  onopen: (() => void) | null;
  onerror: (() => void) | null;
  addEventListener(type: string, listener: (event: { data: string; lastEventId: string }) => void): void;
  close(): void;
}

export interface Surroundings {
  open: (url: string) => Source;
  later: (work: () => void, ms: number) => () => void;
}

const closed = 2;

/** 1, 2, 4, 8, 8, … seconds: the browser retries short breaks by itself, this is for refusals, after which it gives up. */
export const retryDelay = (failures: number): number => Math.min(8000, 1000 * 2 ** Math.max(0, failures - 1));

/** The one address that serves all interests; null when there are none. */
export function streamAddress(interests: Iterable<Interest>, lastEventId: string): string | null {
  const wanted = new Set<Topic>();
  const query: Record<string, Query[string]> = {};
  for (const interest of interests) {
    for (const topic of interest.topics) wanted.add(topic);
    Object.assign(query, interest.filters);
  }
  if (wanted.size === 0) return null;
  return address('/stream', { topics: topics.filter((t) => wanted.has(t)).join(','), ...query, ...(lastEventId ? { lastEventId } : {}) });
}

/**
 * One EventSource for everything that the page shows. Its address follows the interests; a change of address goes on behind the last message seen, so that
 * those who stay miss nothing.
 */
export class StreamHub {
  private readonly interests = new Set<Interest>();
  private readonly stateListeners = new Set<() => void>();
  private readonly surroundings: Surroundings;
  private source: Source | null = null;
  private opened = '';
  private lastEventId = '';
  private failures = 0;
  private isPlanned = false;
  private stopRetry: (() => void) | null = null;
  private current: LiveState = 'connecting';

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings;
  }

  get state(): LiveState {
    return this.current;
  }

  onState(listener: () => void): () => void {
    this.stateListeners.add(listener);
    return () => this.stateListeners.delete(listener);
  }

  subscribe(interest: Interest): () => void {
    this.interests.add(interest);
    this.plan();
    return () => {
      this.interests.delete(interest);
      this.plan();
    };
  }

  /** Ends the stream for good, for example after signing out. */
  close(): void {
    this.interests.clear();
    this.disconnect();
  }

  // A page that changes leaves and joins many at once: one new connection is enough.
  private plan(): void {
    if (this.isPlanned) return;
    this.isPlanned = true;
    this.surroundings.later(() => {
      this.isPlanned = false;
      const wanted = streamAddress(this.interests, '');
      if (wanted === null) this.disconnect();
      else if (wanted !== this.opened) this.connect(wanted);
    }, 0);
  }

  private disconnect(): void {
    this.stopRetry?.();
    this.stopRetry = null;
    this.source?.close();
    this.source = null;
    this.opened = '';
  }

  private connect(wanted: string): void {
    this.disconnect();
    this.opened = wanted;
    this.set('connecting');
    const source = this.surroundings.open(streamAddress(this.interests, this.lastEventId) ?? wanted);
    this.source = source;
    source.onopen = () => {
      this.failures = 0;
      this.set('live');
    };
    source.onerror = () => {
      if (source !== this.source) return;
      this.set('waiting');
      if (source.readyState !== closed) return;
      this.failures++;
      this.stopRetry = this.surroundings.later(() => this.connect(wanted), retryDelay(this.failures));
    };
    source.addEventListener('reset', (event) => {
      if (source !== this.source) return;
      this.lastEventId = event.lastEventId;
      for (const interest of [...this.interests]) interest.onReset?.();
    });
    for (const topic of topics) {
      source.addEventListener(topic, (event) => {
        if (source !== this.source) return;
        if (event.lastEventId) this.lastEventId = event.lastEventId;
        let data: unknown;
        try {
          data = JSON.parse(event.data);
        } catch {
          return;
        }
        for (const interest of [...this.interests]) if (interest.topics.includes(topic)) interest.onMessage(topic, data);
      });
    }
  }

  private set(state: LiveState): void {
    if (state === this.current) return;
    this.current = state;
    for (const listener of this.stateListeners) listener();
  }
}

export const hub = new StreamHub({
  open: (url) => new EventSource(url) as unknown as Source,
  later: (work, ms) => {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
});
