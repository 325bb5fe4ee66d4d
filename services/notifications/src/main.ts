import { CommunicationProtocolEnum, DaprServer, LogLevel } from "@dapr/dapr";
import express from "express";
import { routes, subscribe } from "./app";
import { Inbox } from "./inbox";
import { remoteContacts } from "./contacts";
import { daprLedger } from "./ledger";
import { log } from "./log";
import { Post } from "./mail";
import type { Sink } from "./sink";
import { daprStore } from "./store";

async function main(): Promise<void> {
  const app = express();
  const port = process.env["APP_PORT"] ?? "3005";
  const server = new DaprServer({
    serverHost: process.env["LISTEN_ON_ALL"] === "true" ? "0.0.0.0" : "127.0.0.1",
    serverPort: port,
    serverHttp: app,
    communicationProtocol: CommunicationProtocolEnum.HTTP,
    clientOptions: {
      daprHost: "127.0.0.1",
      daprPort: process.env["DAPR_HTTP_PORT"] ?? "3505",
      logger: { level: LogLevel.Warn },
    },
    logger: { level: LogLevel.Warn },
  });
  const inbox = new Inbox(daprStore(server.client));
  const sink = await startSink(process.env["SMTP_SINK_PORT"]);
  routes(app, inbox, () => server.client, sink);
  await subscribe(server, app, inbox, postOffice(server, process.env["MAIL_BINDING"]));
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      log("Information", "Stopping", { signal });
      void server.stop().finally(() => process.exit(0));
    });
  }
  await server.start();
  log("Information", "Started", { port });
}

/** Mails go through the output binding of this name; without one none are written. */
function postOffice(server: DaprServer, binding: string | undefined): Post | undefined {
  if (binding === undefined || binding === "") {
    return undefined;
  }
  return new Post(daprLedger(server.client), remoteContacts(process.env["DAPR_GRPC_PORT"] ?? "15005"), async (emailTo, subject, html) => {
    await server.client.binding.send(binding, "create", html, { emailTo, subject });
  });
}

async function startSink(port: string | undefined): Promise<Sink | undefined> {
  if (port === undefined || port === "") {
    return undefined;
  }
  // Not even loaded where mails go to a real server.
  const sink = new (await import("./sink")).Sink();
  if ((await sink.listen("localhost", Number(port))) !== false) {
    log("Information", "Mails are kept and sent nowhere", { port });
    return sink;
  }
  log("Warning", "The mail sink is off: its address is taken, likely by another stack, which gets these mails", { port });
  return undefined;
}

main().catch((error: unknown) => {
  log("Error", "Could not start", { reason: error instanceof Error ? error.stack : String(error) });
  process.exit(1);
});
