import assert from "node:assert/strict";
import { test } from "node:test";
import { DaprPubSubStatusEnum } from "@dapr/dapr";
import { connect } from "node:net";
import { handle } from "./app";
import { readContact, writeRequest } from "./contacts";
import { Inbox } from "./inbox";
import { fill, orderMail, Post, refundMail, type Contact, type Entry, type Ledger } from "./mail";
import { orderStatusChanged } from "./messages";
import { parse, Sink } from "./sink";

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
const refunded = { order_id: "ORD-1", payment_id: "PAY-1", refund_id: "REF-1", user_id: "USR-1", amount: 500, refunded_total: 500, currency: "USD", occurred_at: "2025-01-01T00:00:00Z" };

class FakeLedger implements Ledger {
  readonly entries = new Map<string, Entry>();
  private version = 0;

  find(id: string): Promise<Entry | undefined> {
    return Promise.resolve(this.entries.get(id));
  }

  write(id: string, entry: { begunAt: number; sent: boolean }, etag?: string): Promise<boolean> {
    if (this.entries.get(id)?.etag !== etag) {
      return Promise.resolve(false);
    }
    this.entries.set(id, { ...entry, etag: String(++this.version) });
    return Promise.resolve(true);
  }
}

class Office {
  readonly ledger = new FakeLedger();
  readonly sent: { to: string; subject: string; html: string }[] = [];
  contact: Contact | undefined = { email: "ada@shop.local", firstName: "Ada" };
  now = 1_000_000;
  failing = false;
  readonly post = new Post(
    this.ledger,
    () => Promise.resolve(this.contact),
    (to, subject, html) => {
      if (this.failing) {
        return Promise.reject(new Error("no server"));
      }
      this.sent.push({ to, subject, html });
      return Promise.resolve();
    },
    () => this.now,
  );
}

test("a confirmation is written once however often it is told", async () => {
  const office = new Office();
  const letter = orderMail(confirmed)!;
  await office.post.write(letter);
  await office.post.write(letter);
  assert.equal(office.sent.length, 1);
  assert.equal(office.sent[0]!.to, "ada@shop.local");
  assert.equal(office.sent[0]!.subject, "Order 7 is confirmed");
  assert.match(office.sent[0]!.html, /Hello Ada,/);
  assert.match(office.sent[0]!.html, /199\.98 USD/);
});

test("told to two replicas at once it is written by one", async () => {
  const office = new Office();
  const letter = orderMail(confirmed)!;
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => office.post.write(letter)));
  assert.equal(office.sent.length, 1);
  assert.ok(outcomes.some((o) => o.status === "rejected"), "whoever was slower asks again");
});

test("a mail that could not be sent is sent when it is told again", async () => {
  const office = new Office();
  office.failing = true;
  await assert.rejects(office.post.write(refundMail(refunded)));
  office.failing = false;
  await office.post.write(refundMail(refunded));
  assert.equal(office.sent.length, 1);
  assert.match(office.sent[0]!.html, /5\.00 USD/);
});

test("a mail whose writer died is written by another a minute later", async () => {
  const office = new Office();
  const letter = orderMail(confirmed)!;
  await office.ledger.write(letter.id, { begunAt: office.now, sent: false });
  await assert.rejects(office.post.write(letter));
  office.now += 60_000;
  await office.post.write(letter);
  assert.equal(office.sent.length, 1);
});

test("nobody is written to who does not exist or whose address is nobody's", async () => {
  const office = new Office();
  for (const email of ["a@bench.example", "a@example.com", "a@mail.example.org", "a@x.test"]) {
    office.contact = { email, firstName: "A" };
    await office.post.write(orderMail(confirmed)!);
  }
  office.contact = undefined;
  await office.post.write(orderMail(confirmed)!);
  assert.equal(office.sent.length, 0);
});

test("each of the three mails has all its values, and a cancellation its reason", async () => {
  const office = new Office();
  await office.post.write(orderMail({ ...confirmed, status: "CANCELLED", reason: "OUT_OF_STOCK" })!);
  assert.match(office.sent[0]!.html, /out of stock/);
  assert.doesNotMatch(office.sent[0]!.html, /\{\{/);
  assert.equal(orderMail({ ...confirmed, status: "SHIPPED" }), undefined);
});

test("a value is never markup", () => {
  assert.equal(fill("<b>{{name}}</b>", { name: "<script>\"&'" }), "<b>&#60;script&#62;&#34;&#38;&#39;</b>");
  assert.throws(() => fill("{{name}}", {}));
});

test("an event is asked for again until its mail is sent", async () => {
  const office = new Office();
  const inbox = new Inbox({ read: () => Promise.resolve(new Map()), write: () => Promise.resolve(true) });
  office.failing = true;
  assert.equal(await handle("order_status_changed", orderStatusChanged, confirmed, inbox, orderMail, office.post), DaprPubSubStatusEnum.RETRY);
  office.failing = false;
  assert.equal(await handle("order_status_changed", orderStatusChanged, confirmed, inbox, orderMail, office.post), DaprPubSubStatusEnum.SUCCESS);
  assert.equal(office.sent.length, 1);
});

test("a contact is read as it is written", () => {
  assert.deepEqual([...writeRequest("U")], [0x0a, 1, 0x55]);
  assert.deepEqual(readContact(Buffer.from([0x0a, 3, 0x61, 0x40, 0x62, 0x12, 1, 0x41, 0x18, 1])), { email: "a@b", firstName: "A" });
});

test("the sink keeps what it is sent", async () => {
  const sink = new Sink();
  const port = await sink.listen("127.0.0.1", 0);
  assert.notEqual(port, false);
  const mail = ["Subject: =?UTF-8?B?R3LDvMOfZQ==?=", "Content-Transfer-Encoding: base64", "", Buffer.from("<p>Hi</p>").toString("base64"), "."];
  const lines = ["EHLO test", "MAIL FROM:<shop@platform.local>", "RCPT TO:<ada@shop.local>", "DATA", ...[mail.join("\r\n")], "QUIT"];
  await new Promise<void>((done, failed) => {
    const socket = connect(port as number, "127.0.0.1");
    let next = 0;
    socket.on("data", (data: Buffer) => {
      // The last line of an answer has a blank behind its code.
      if (/^\d{3} [^\n]*\n$/m.test(data.toString()) && next < lines.length) {
        socket.write(`${lines[next++]}\r\n`);
      }
    });
    socket.on("close", () => done());
    socket.on("error", failed);
  });
  assert.deepEqual(
    sink.mails.map(({ at: _at, ...m }) => m),
    [{ from: "shop@platform.local", to: ["ada@shop.local"], subject: "Grüße", html: "<p>Hi</p>" }],
  );
  await sink.close();
});

test("a folded header is one line", () => {
  assert.equal(parse("Subject: a\r\n b\r\n\r\nx").headers.get("subject"), "a b");
});
