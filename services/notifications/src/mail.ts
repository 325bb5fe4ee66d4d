import { readFileSync } from "node:fs";
import { join } from "node:path";
import { log } from "./log";
import { integer, MalformedEvent, money, reasonOf, record, text } from "./messages";
import { mails } from "./metrics";

/** A mail that is to be written: which, to whom, with what in it. */
export interface Letter {
  /** The same for the same fact, however often its event is delivered. */
  readonly id: string;
  readonly userId: string;
  readonly template: "order-confirmed" | "order-cancelled" | "order-refunded";
  readonly subject: string;
  readonly values: Record<string, string>;
}

export interface Contact {
  readonly email: string;
  readonly firstName: string;
}

/** Which mails were sent, in Dapr state. */
export interface Ledger {
  /** When the mail was begun and whether it was sent; undefined: nobody began it. */
  find(id: string): Promise<Entry | undefined>;
  /** False when somebody else was faster. */
  write(id: string, entry: { begunAt: number; sent: boolean }, etag?: string): Promise<boolean>;
}

export interface Entry {
  readonly begunAt: number;
  readonly sent: boolean;
  readonly etag: string;
}

/** Somebody else is writing this mail at this moment; whether it was sent is known later. */
export class BeingSent extends Error {}

/** Longer than a mail takes: then whoever began it is taken for dead. */
const lease = 60_000;

// RFC 2606 and RFC 6761: nobody has these, so there is nobody to write to. Load tests and simulations use them.
const reserved = /(?:^|\.)(?:example|test|invalid|localhost|example\.(?:com|net|org))$/i;

/** `order_status_changed` of orders; undefined: no mail is written about it. */
export function orderMail(data: unknown): Letter | undefined {
  const event = record(data);
  const status = text(event, "status");
  if (status !== "CONFIRMED" && status !== "CANCELLED") {
    return undefined;
  }
  const orderId = text(event, "order_id");
  const number = String(integer(event, "number"));
  return {
    id: `${orderId}:${status}`,
    userId: text(event, "user_id"),
    template: status === "CONFIRMED" ? "order-confirmed" : "order-cancelled",
    subject: status === "CONFIRMED" ? `Order ${number} is confirmed` : `Order ${number} was cancelled`,
    values: { orderId, number, amount: money(integer(event, "total_amount"), text(event, "currency")), why: reasonOf(event["reason"]) },
  };
}

/** `payment_refunded` of payments. */
export function refundMail(data: unknown): Letter {
  const event = record(data);
  const amount = money(integer(event, "amount"), text(event, "currency"));
  return {
    id: text(event, "refund_id"),
    userId: text(event, "user_id"),
    template: "order-refunded",
    subject: `We returned ${amount}`,
    values: { orderId: text(event, "order_id"), amount },
  };
}

/** Fills a template; what comes from outside is text and never markup. */
export function fill(html: string, values: Record<string, string>): string {
  return html.replace(/\{\{(\w+)\}\}/g, (_all, name: string) => {
    const value = values[name];
    if (value === undefined) {
      throw new Error(`The template asks for '${name}'.`);
    }
    return value.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  });
}

/**
 * Writes each mail once: begun in the ledger by whoever is first, then sent, then noted as sent. One whose writer died in between is written again after a
 * minute, so a mail may come twice where a process dies at that very moment, and is never lost.
 */
export class Post {
  private readonly templates = new Map<string, string>();

  constructor(
    private readonly ledger: Ledger,
    private readonly contacts: (userId: string) => Promise<Contact | undefined>,
    private readonly send: (to: string, subject: string, html: string) => Promise<void>,
    private readonly now: () => number = Date.now,
    private readonly folder: string = join(__dirname, "templates"),
  ) {}

  async write(letter: Letter): Promise<void> {
    const contact = await this.contacts(letter.userId);
    if (contact === undefined || reserved.test(contact.email.slice(contact.email.lastIndexOf("@") + 1))) {
      mails.add({ service: "notifications", type: letter.template, status: "skipped" });
      return;
    }
    const known = await this.ledger.find(letter.id);
    if (known?.sent === true) {
      return;
    }
    const begunAt = this.now();
    if ((known !== undefined && begunAt - known.begunAt < lease) || !(await this.ledger.write(letter.id, { begunAt, sent: false }, known?.etag))) {
      throw new BeingSent(`Mail ${letter.id} is being written.`);
    }
    try {
      await this.send(contact.email, letter.subject, fill(this.template(letter.template), { ...letter.values, name: contact.firstName }));
    } catch (error) {
      mails.add({ service: "notifications", type: letter.template, status: "failed" });
      // Whoever is asked next need not wait until this one is taken for dead.
      const mine = await this.ledger.find(letter.id);
      await this.ledger.write(letter.id, { begunAt: 0, sent: false }, mine?.etag);
      throw error;
    }
    mails.add({ service: "notifications", type: letter.template, status: "sent" });
    const mine = await this.ledger.find(letter.id);
    if (!(await this.ledger.write(letter.id, { begunAt, sent: true }, mine?.etag))) {
      log("Warning", "A mail was written twice", { id: letter.id });
    }
  }

  private template(name: string): string {
    let html = this.templates.get(name);
    if (html === undefined) {
      html = readFileSync(join(this.folder, `${name}.html`), "utf8");
      this.templates.set(name, html);
    }
    return html;
  }
}

export { MalformedEvent };
