import { CommunicationProtocolEnum, DaprServer, LogLevel } from "@dapr/dapr";
import express from "express";
import { routes, subscribe } from "./app";
import { Inbox } from "./inbox";
import { log } from "./log";
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
  routes(app, inbox, () => server.client);
  await subscribe(server, inbox);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      log("Information", "Stopping", { signal });
      void server.stop().finally(() => process.exit(0));
    });
  }
  await server.start();
  log("Information", "Started", { port });
}

main().catch((error: unknown) => {
  log("Error", "Could not start", { reason: error instanceof Error ? error.stack : String(error) });
  process.exit(1);
});
