import type { Addressed, Message } from "./messages";

/** The state store, as far as it is needed here. */
export interface Store {
  /** Values by key; a key that is not there is not in the map. */
  read(keys: string[]): Promise<Map<string, { value: Message[]; etag: string }>>;
  /** All or nothing; false when one of the ETags is not the current one. */
  write(entries: { key: string; value: Message[]; etag?: string }[]): Promise<boolean>;
}

const kept = 50;
const maxBatch = 100;
const maxAttempts = 10;

interface Waiting {
  readonly item: Addressed;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * The last messages of each user. A message counts as sent when it is in the store, and not before its `add` has returned. What arrives while a write is
 * under way goes with the next one, so a burst of events costs two calls per batch instead of two per event.
 */
export class Inbox {
  private waiting: Waiting[] = [];
  private writing = false;

  constructor(private readonly store: Store) {}

  static keyOf(userId: string): string {
    return `messages-${userId}`;
  }

  add(item: Addressed): Promise<void> {
    return new Promise((done, failed) => {
      this.waiting.push({ item, done, failed });
      if (!this.writing) {
        void this.drain();
      }
    });
  }

  async list(userId: string): Promise<Message[]> {
    const key = Inbox.keyOf(userId);
    return (await this.store.read([key])).get(key)?.value ?? [];
  }

  private async drain(): Promise<void> {
    this.writing = true;
    // The events of one delivery come in the same moment: they go together.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, maxBatch);
      try {
        await this.save(batch.map((w) => w.item));
        batch.forEach((w) => w.done());
      } catch (error) {
        batch.forEach((w) => w.failed(error));
      }
    }
    this.writing = false;
  }

  private async save(items: Addressed[]): Promise<void> {
    const byKey = new Map<string, Message[]>();
    for (const { userId, message } of items) {
      const key = Inbox.keyOf(userId);
      byKey.set(key, [...(byKey.get(key) ?? []), message]);
    }
    // Another replica may write the same user's messages; then read and merge again.
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const current = await this.store.read([...byKey.keys()]);
      const entries = [...byKey].map(([key, added]) => {
        const stored = current.get(key);
        return { key, value: merge(stored?.value ?? [], added), etag: stored?.etag };
      });
      if (await this.store.write(entries)) {
        return;
      }
    }
    throw new Error("The messages changed faster than they could be written.");
  }
}

/** Newest first, each once, the oldest dropped. */
export function merge(stored: readonly Message[], added: readonly Message[]): Message[] {
  const known = new Set(stored.map((m) => m.id));
  const fresh = added.filter((m) => !known.has(m.id) && known.add(m.id));
  // Read once and not at each comparison: that was most of what an event cost here.
  const timed = [...fresh, ...stored].map((m) => ({ m, at: Date.parse(m.at) }));
  return timed
    .sort((a, b) => b.at - a.at)
    .slice(0, kept)
    .map((t) => t.m);
}
