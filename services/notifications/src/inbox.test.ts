import assert from "node:assert/strict";
import { test } from "node:test";
import { DaprPubSubStatusEnum } from "@dapr/dapr";
import type { NextFunction, Request, Response } from "express";
import { bulk, handle } from "./app";
import { Inbox, merge, type Store } from "./inbox";
import { userRegistered, type Message } from "./messages";

const message = (id: string, minute = 0): Message => ({ id, type: "t", title: "t", body: "b", at: new Date(minute * 60_000).toISOString() });

class FakeStore implements Store {
  readonly values = new Map<string, { value: Message[]; etag: string }>();
  writes = 0;
  conflicts = 0;
  failing = false;

  read(keys: string[]): ReturnType<Store["read"]> {
    if (this.failing) {
      return Promise.reject(new Error("down"));
    }
    return Promise.resolve(new Map(keys.flatMap((k) => (this.values.has(k) ? [[k, this.values.get(k)!] as const] : []))));
  }

  write(entries: { key: string; value: Message[]; etag?: string }[]): Promise<boolean> {
    this.writes++;
    if (this.conflicts > 0) {
      this.conflicts--;
      return Promise.resolve(false);
    }
    for (const { key, value } of entries) {
      this.values.set(key, { value, etag: String(this.writes) });
    }
    return Promise.resolve(true);
  }
}

test("the same message twice is one message", async () => {
  const inbox = new Inbox(new FakeStore());
  await inbox.add({ userId: "u", message: message("a") });
  await inbox.add({ userId: "u", message: message("a") });
  assert.equal((await inbox.list("u")).length, 1);
});

test("what arrives during a write goes with the next one", async () => {
  const store = new FakeStore();
  const inbox = new Inbox(store);
  await Promise.all(Array.from({ length: 50 }, (_, i) => inbox.add({ userId: `u${i % 5}`, message: message(`m${i}`, i) })));
  assert.ok(store.writes <= 2, `${store.writes} writes`);
  assert.equal((await inbox.list("u0")).length, 10);
});

test("a conflict is read and merged again", async () => {
  const store = new FakeStore();
  store.conflicts = 3;
  const inbox = new Inbox(store);
  await inbox.add({ userId: "u", message: message("a") });
  assert.equal(store.writes, 4);
  assert.equal((await inbox.list("u")).length, 1);
});

test("only the newest fifty are kept, newest first", () => {
  const merged = merge(
    Array.from({ length: 50 }, (_, i) => message(`old${i}`, i)),
    [message("new", 100)],
  );
  assert.equal(merged.length, 50);
  assert.equal(merged[0]!.id, "new");
  assert.ok(!merged.some((m) => m.id === "old0"));
});

test("an event is acknowledged only when its message is stored", async () => {
  const store = new FakeStore();
  const inbox = new Inbox(store);
  const event = { user_id: "USR-1", first_name: "Ada", occurred_at: "2025-01-01T00:00:00Z" };
  store.failing = true;
  assert.equal(await handle("user_registered", userRegistered, event, inbox), DaprPubSubStatusEnum.RETRY);
  store.failing = false;
  assert.equal(await handle("user_registered", userRegistered, event, inbox), DaprPubSubStatusEnum.SUCCESS);
  assert.equal(await handle("user_registered", userRegistered, { nonsense: true }, inbox), DaprPubSubStatusEnum.DROP);
});

test("the events of one delivery are one write, each with an answer of its own", async () => {
  const store = new FakeStore();
  const inbox = new Inbox(store);
  const entry = (entryId: string, data: unknown): unknown => ({ entryId, event: { data } });
  const joined = (user: string): unknown => ({ user_id: user, first_name: "Ada", occurred_at: "2025-01-01T00:00:00Z" });
  const entries = [entry("1", joined("USR-1")), entry("2", { nonsense: true }), entry("3", joined("USR-2")), { entryId: "4" }];
  const answer = await new Promise((done, failed) => {
    const take = (data: unknown): Promise<DaprPubSubStatusEnum> => handle("user_registered", userRegistered, data, inbox);
    bulk(take)({ body: { entries } } as Request, { json: done, setHeader: () => undefined } as unknown as Response, failed as NextFunction);
  });
  assert.deepEqual(answer, {
    statuses: [
      { entryId: "1", status: "SUCCESS" },
      { entryId: "2", status: "DROP" },
      { entryId: "3", status: "SUCCESS" },
      { entryId: "4", status: "DROP" },
    ],
  });
  assert.equal(store.writes, 1);
});

test("a delivery of a single event is left to the SDK", () => {
  let passed = 0;
  bulk(() => Promise.reject(new Error("not mine")))({ body: { data: {} } } as Request, {} as Response, () => passed++);
  assert.equal(passed, 1);
});
