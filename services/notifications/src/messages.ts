/** What a customer is told. */
export interface Message {
  /** The same for the same fact, however often its event is delivered. */
  readonly id: string;
  readonly type: string;
  readonly title: string;
  readonly body: string;
  readonly orderId?: string;
  readonly at: string;
}

/** A message and whose it is. */
export interface Addressed {
  readonly userId: string;
  readonly message: Message;
}

/** The event is not what its topic promises; delivering it again would not help. */
export class MalformedEvent extends Error {}

const reasons: Record<string, string> = {
  OUT_OF_STOCK: "a product is out of stock",
  PAYMENT_DECLINED: "the payment was declined",
  APPROVAL_REJECTED: "it was not approved",
  APPROVAL_TIMEOUT: "nobody approved it in time",
  CANCELLED_BY_CUSTOMER: "you cancelled it",
};

/** `order_status_changed` of orders. */
export function orderStatusChanged(data: unknown): Addressed {
  const event = record(data);
  const orderId = text(event, "order_id");
  const status = text(event, "status");
  const number = integer(event, "number");
  const amount = money(integer(event, "total_amount"), text(event, "currency"));
  const why = reasonOf(event["reason"]);
  const body: Record<string, string> = {
    CONFIRMED: `We have your payment of ${amount} and will pack your order.`,
    PROCESSING: "Your order is being packed.",
    SHIPPED: "Your order is on its way.",
    DELIVERED: "Your order has arrived.",
    CANCELLED: `Your order was cancelled${why}. Nothing is charged.`,
  };
  const what = body[status];
  if (what === undefined) {
    throw new MalformedEvent(`'${status}' is not a status of orders`);
  }
  return {
    userId: text(event, "user_id"),
    message: {
      id: `${orderId}:${status}`,
      type: `order_${status.toLowerCase()}`,
      title: `Order ${number}: ${status.toLowerCase()}`,
      body: what,
      orderId,
      at: text(event, "occurred_at"),
    },
  };
}

/** The end of a sentence that says why, or nothing. */
export function reasonOf(reason: unknown): string {
  return typeof reason === "string" ? `, because ${reasons[reason] ?? "it could not be completed"}` : "";
}

/** `payment_refunded` of payments. */
export function paymentRefunded(data: unknown): Addressed {
  const event = record(data);
  const refundId = text(event, "refund_id");
  return {
    userId: text(event, "user_id"),
    message: {
      id: refundId,
      type: "payment_refunded",
      title: "Refund",
      body: `We returned ${money(integer(event, "amount"), text(event, "currency"))} to you.`,
      orderId: text(event, "order_id"),
      at: text(event, "occurred_at"),
    },
  };
}

/** `user_registered` of users. */
export function userRegistered(data: unknown): Addressed {
  const event = record(data);
  const userId = text(event, "user_id");
  return {
    userId,
    message: {
      id: `${userId}:registered`,
      type: "welcome",
      title: "Welcome",
      body: `Hello ${text(event, "first_name")}, your account is ready.`,
      at: text(event, "occurred_at"),
    },
  };
}

/** Minor units as text; every currency of the platform has two decimals. */
export function money(minor: number, currency: string): string {
  const sign = minor < 0 ? "-" : "";
  const digits = Math.abs(minor).toString().padStart(3, "0");
  return `${sign}${digits.slice(0, -2)}.${digits.slice(-2)} ${currency}`;
}

export function record(data: unknown): Record<string, unknown> {
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    throw new MalformedEvent("the data is not an object");
  }
  return data as Record<string, unknown>;
}

export function text(event: Record<string, unknown>, name: string): string {
  const value = event[name];
  if (typeof value !== "string" || value.length === 0) {
    throw new MalformedEvent(`${name} is missing`);
  }
  return value;
}

export function integer(event: Record<string, unknown>, name: string): number {
  const value = event[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value)) {
    throw new MalformedEvent(`${name} is not an integer`);
  }
  return value;
}
