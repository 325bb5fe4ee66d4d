import type { DaprClient } from "@dapr/dapr";
import type { Store } from "./inbox";
import type { Message } from "./messages";

const name = "statestore";

/** The store of messages in Dapr state, through the official SDK. */
export function daprStore(client: DaprClient): Store {
  return {
    async read(keys) {
      const found = new Map<string, { value: Message[]; etag: string }>();
      for (const item of await client.state.getBulk(name, keys)) {
        const { key, data, etag } = item as { key: string; data?: Message[]; etag?: string };
        if (Array.isArray(data) && etag !== undefined) {
          found.set(key, { value: data, etag });
        }
      }
      return found;
    },
    async write(entries) {
      // One transaction, so that a conflict on one key leaves the others unwritten too.
      try {
        await client.state.transaction(
          name,
          entries.map(({ key, value, etag }) => ({
            operation: "upsert",
            request: {
              key,
              value: value as never,
              // The SDK's type asks for an object here; over HTTP the sidecar takes the ETag as text only.
              ...(etag === undefined ? {} : { etag }),
              options: { concurrency: "first-write" },
            } as never,
          })),
        );
        return true;
      } catch (error) {
        if (isConflict(error)) {
          return false;
        }
        throw error;
      }
    },
  };
}

export function isConflict(error: unknown): boolean {
  const text = error instanceof Error ? error.message : String(error);
  return /"?status"?:\s*409|ETAG_MISMATCH|etag mismatch/i.test(text);
}
