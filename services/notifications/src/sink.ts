import { SMTPServer } from "smtp-server";
import { log } from "./log";

/** A mail as it arrived. */
export interface Caught {
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly html: string;
  readonly at: string;
}

const kept = 200;
const largest = 1 << 20;

/** Headers and body of a message; header lines that were folded are one again, encoded words and base64 are text again. */
export function parse(raw: string): { headers: Map<string, string>; body: string } {
  const end = raw.indexOf("\r\n\r\n");
  const headers = new Map<string, string>();
  for (const line of raw.slice(0, end).replace(/\r\n[ \t]+/g, " ").split("\r\n")) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const decoded = (text: string): string =>
    text.replace(/\?=\s+=\?/g, "?==?").replace(/=\?UTF-8\?B\?([^?]*)\?=/gi, (_all, word: string) => Buffer.from(word, "base64").toString());
  headers.set("subject", decoded(headers.get("subject") ?? ""));
  const body = raw.slice(end + 4);
  return { headers, body: headers.get("content-transfer-encoding") === "base64" ? Buffer.from(body, "base64").toString() : body };
}

/** A mail server for development: it takes every mail, keeps the last of them in memory and sends nothing on. */
export class Sink {
  private readonly caught: Caught[] = [];
  private readonly server: SMTPServer;

  constructor() {
    this.server = new SMTPServer({
      authOptional: true,
      disabledCommands: ["AUTH", "STARTTLS"],
      size: largest,
      logger: false,
      onData: (stream, session, done) => {
        const parts: Buffer[] = [];
        stream.on("data", (part: Buffer) => parts.push(part));
        stream.on("end", () => {
          if (stream.sizeExceeded) {
            done(Object.assign(new Error("The mail is too large."), { responseCode: 552 }));
            return;
          }
          const { headers, body } = parse(Buffer.concat(parts).toString());
          const from = session.envelope.mailFrom;
          this.caught.unshift({
            from: from === false ? "" : from.address,
            to: session.envelope.rcptTo.map((r) => r.address),
            subject: headers.get("subject") ?? "",
            html: body,
            at: new Date().toISOString(),
          });
          this.caught.length = Math.min(this.caught.length, kept);
          done();
        });
      },
    });
    this.server.on("error", (error: Error) => log("Warning", "The mail sink has a problem", { reason: error.message }));
  }

  /** Newest first. */
  get mails(): readonly Caught[] {
    return this.caught;
  }

  /** The port it listens on. False in its place: somebody else, likely the sink of another stack, has it. */
  listen(host: string, port: number): Promise<number | false> {
    return new Promise((done) => {
      this.server.server.once("error", () => done(false));
      this.server.listen(port, host, () => {
        const address = this.server.server.address();
        done(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  close(): Promise<void> {
    return new Promise((done) => this.server.close(() => done()));
  }
}
