import { AsyncLocalStorage } from "node:async_hooks";
import { DaprPubSubStatusEnum, type DaprClient, type DaprServer } from "@dapr/dapr";
import type { Express, Request, RequestHandler, Response } from "express";
import type { Inbox } from "./inbox";
import { log } from "./log";
import { orderMail, refundMail, type Letter, type Post } from "./mail";
import { MalformedEvent, orderStatusChanged, paymentRefunded, userRegistered, type Addressed } from "./messages";
import { events, messages, requests, scrape } from "./metrics";
import type { Sink } from "./sink";

const pubsub = "pubsub";

/** The answer to the delivery that is handled; the SDK's handlers do not get it. */
const answer = new AsyncLocalStorage<Response>();

/** Many events of one delivery, as the sidecar posts them. */
interface BulkEntry {
  readonly entryId: string;
  readonly event?: { readonly data?: unknown };
}

/** Subscribes to what customers are told about. Events that cannot be understood go to the dead-letter topic. */
export async function subscribe(server: DaprServer, app: Express, inbox: Inbox, post?: Post): Promise<void> {
  const topics: readonly (readonly [string, (data: unknown) => Addressed, ((data: unknown) => Letter | undefined)?])[] = [
    ["order_status_changed", orderStatusChanged, orderMail],
    ["payment_refunded", paymentRefunded, refundMail],
    ["user_registered", userRegistered],
  ];
  for (const [topic, read, mail] of topics) {
    const take = (data: unknown): Promise<DaprPubSubStatusEnum> => handle(topic, read, data, inbox, mail, post);
    // Before the SDK's own handler of the same path, which takes the events of a delivery one after the other: each would wait for a write of its own.
    app.post(`/${pubsub}--${topic.replaceAll("_", "-")}--default`, bulk(take));
    await server.pubsub.subscribeWithOptions(pubsub, topic, {
      deadLetterTopic: `${topic}.dlq`,
      bulkSubscribe: { enabled: true, maxMessagesCount: 100, maxAwaitDurationMs: 500 },
      callback: take,
    });
  }
}

/** Takes the events of one delivery side by side; any other request is not its own. */
export function bulk(take: (data: unknown) => Promise<DaprPubSubStatusEnum>): RequestHandler {
  return (request, response, next) => {
    const entries = (request.body as { entries?: unknown } | undefined)?.entries;
    if (!Array.isArray(entries)) {
      next();
      return;
    }
    void Promise.all((entries as BulkEntry[]).map(async (entry) => ({ entryId: entry.entryId, status: await take(entry.event?.data) }))).then((statuses) => {
      response.json({ statuses });
    }, next);
  };
}

/** An event is taken when its message is stored and, where one is written, its mail is sent; both are the same however often it is told. */
export async function handle(
  topic: string,
  read: (data: unknown) => Addressed,
  data: unknown,
  inbox: Inbox,
  mail?: (data: unknown) => Letter | undefined,
  post?: Post,
): Promise<DaprPubSubStatusEnum> {
  let status = DaprPubSubStatusEnum.SUCCESS;
  try {
    const item = read(data);
    await inbox.add(item);
    messages.add({ service: "notifications", type: item.message.type });
    const letter = mail?.(data);
    if (letter !== undefined) {
      await post?.write(letter);
    }
  } catch (error) {
    status = error instanceof MalformedEvent ? DaprPubSubStatusEnum.DROP : DaprPubSubStatusEnum.RETRY;
    log(error instanceof MalformedEvent ? "Error" : "Warning", `An event of ${topic} was not handled`, { status, reason: reasonOf(error) });
    // For whoever looks at the dead letter; a sidecar that does not know the header passes over it.
    answer.getStore()?.setHeader("event-cause", encodeURIComponent(reasonOf(error).slice(0, 500)));
  }
  events.add({ service: "notifications", topic, status });
  return status;
}

/** The routes beside the events: health, metrics, and the messages of a user for the gateway. */
export function routes(app: Express, inbox: Inbox, client: () => DaprClient, sink?: Sink): void {
  app.disable("x-powered-by");
  app.use((request, response, next) => {
    response.on("finish", () => {
      const route = request.route as { path?: unknown } | undefined;
      requests.add({
        service: "notifications",
        method: request.method,
        endpoint: typeof route?.path === "string" ? route.path : "unmatched",
        status_code: String(response.statusCode),
      });
    });
    answer.run(response, next);
  });
  app.get("/health/live", (_request, response) => {
    response.json({ status: "Healthy" });
  });
  app.get(["/health", "/health/ready"], async (_request, response) => {
    const ready = await client().health.isHealthy().catch(() => false);
    response.status(ready ? 200 : 503).json({ status: ready ? "Healthy" : "Unhealthy", checks: { sidecar: { status: ready ? "Healthy" : "Unhealthy" } } });
  });
  app.get("/metrics", (_request, response) => {
    response.type("text/plain; version=0.0.4").send(scrape());
  });
  // Development: what the sink got. Without one there is no such route.
  if (sink !== undefined) {
    app.get("/mails", (_request, response) => {
      response.json(sink.mails);
    });
  }
  app.get("/messages/:userId", async (request: Request<{ userId: string }>, response: Response) => {
    // The gateway knows who asks; nobody else may ask for somebody.
    if (request.get("dapr-caller-app-id") !== "gateway") {
      problem(response, 403, "forbidden", "Not allowed");
      return;
    }
    try {
      response.json(await inbox.list(request.params.userId));
    } catch (error) {
      log("Warning", "Messages could not be read", { reason: reasonOf(error) });
      problem(response, 503, "unavailable", "A dependency is unavailable");
    }
  });
}

function problem(response: Response, status: number, code: string, title: string): void {
  response.status(status).type("application/problem+json").send(JSON.stringify({ type: `urn:problem:${code}`, title, status, code }));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
