import { randomUUID } from "node:crypto";
import type { DaprClient } from "@dapr/dapr";
import type { Ledger } from "./mail";
import { isConflict } from "./store";

const name = "statestore";
/** Longer than any redelivery takes. */
const kept = 7 * 24 * 3600;

/** The mails that were written, in Dapr state, each with a time to live. */
export function daprLedger(client: DaprClient): Ledger {
  return {
    async find(id) {
      const [item] = (await client.state.getBulk(name, [`mail-${id}`])) as { data?: { begunAt: number; sent: boolean }; etag?: string }[];
      return item?.data !== undefined && item.etag !== undefined ? { ...item.data, etag: item.etag } : undefined;
    },
    async write(id, entry, etag) {
      try {
        await client.state.transaction(name, [
          {
            operation: "upsert",
            request: {
              key: `mail-${id}`,
              value: { ...entry, by: randomUUID() } as never,
              ...(etag === undefined ? {} : { etag }),
              options: { concurrency: "first-write" },
              metadata: { ttlInSeconds: String(kept) },
            } as never,
          },
        ]);
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
