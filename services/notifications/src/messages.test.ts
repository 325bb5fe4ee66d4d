import assert from "node:assert/strict";
import { test } from "node:test";
import { money, MalformedEvent, orderStatusChanged, userRegistered } from "./messages";

const confirmed = {
  order_id: "ORD-1",
  user_id: "USR-1",
  number: 7,
  status: "CONFIRMED",
  previous_status: "PENDING",
  total_amount: 19998,
  currency: "USD",
  occurred_at: "2025-01-01T00:00:00Z",
};

test("a confirmation names the amount and has an id of its own", () => {
  const { userId, message } = orderStatusChanged(confirmed);
  assert.equal(userId, "USR-1");
  assert.equal(message.id, "ORD-1:CONFIRMED");
  assert.match(message.body, /199\.98 USD/);
});

test("a cancellation says why", () => {
  const { message } = orderStatusChanged({ ...confirmed, status: "CANCELLED", reason: "OUT_OF_STOCK" });
  assert.match(message.body, /out of stock/);
});

test("an event that is not what its topic promises is malformed", () => {
  for (const wrong of [null, 1, "x", [], {}, { ...confirmed, status: "LOST" }, { ...confirmed, total_amount: "1" }, { ...confirmed, user_id: "" }]) {
    assert.throws(() => orderStatusChanged(wrong), MalformedEvent);
  }
  assert.throws(() => userRegistered({ user_id: "USR-1" }), MalformedEvent);
});

test("money has two decimals whatever its size", () => {
  assert.equal(money(0, "USD"), "0.00 USD");
  assert.equal(money(5, "EUR"), "0.05 EUR");
  assert.equal(money(-123456, "GBP"), "-1234.56 GBP");
});
