import { credentials, Metadata, makeGenericClientConstructor, status, type ServiceError } from "@grpc/grpc-js";
import { BinaryReader, BinaryWriter } from "google-protobuf";
import type { Contact } from "./mail";

const kept = 10_000;
const fresh = 60_000;

/** `daprplatform.users.v1.GetContactRequest` */
export function writeRequest(userId: string): Buffer {
  const writer = new BinaryWriter();
  writer.writeString(1, userId);
  return Buffer.from(writer.getResultBuffer());
}

/** `daprplatform.users.v1.Contact` */
export function readContact(bytes: Uint8Array): Contact {
  const reader = new BinaryReader(bytes);
  const contact = { email: "", firstName: "" };
  while (reader.nextField()) {
    if (reader.getFieldNumber() === 1) {
      contact.email = reader.readString();
    } else if (reader.getFieldNumber() === 2) {
      contact.firstName = reader.readString();
    } else {
      reader.skipField();
    }
  }
  return contact;
}

/** Where mail of a user goes, asked of the users service through the sidecar and kept for a minute; undefined: there is no such user. */
export function remoteContacts(port: string): (userId: string) => Promise<Contact | undefined> {
  const Client = makeGenericClientConstructor({}, "daprplatform.users.v1.Contacts");
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("dapr-app-id", "users");
  const known = new Map<string, { contact: Contact | undefined; at: number }>();
  return async (userId) => {
    const found = known.get(userId);
    if (found !== undefined && Date.now() - found.at < fresh) {
      return found.contact;
    }
    const contact = await new Promise<Contact | undefined>((done, failed) => {
      client.makeUnaryRequest<string, Contact>(
        "/daprplatform.users.v1.Contacts/GetContact",
        writeRequest,
        readContact,
        userId,
        metadata,
        { deadline: Date.now() + 10_000 },
        (error: ServiceError | null, answer?: Contact) => {
          if (error === null) {
            done(answer);
          } else if (error.code === status.NOT_FOUND) {
            done(undefined);
          } else {
            failed(error);
          }
        },
      );
    });
    if (known.size >= kept) {
      known.clear();
    }
    known.set(userId, { contact, at: Date.now() });
    return contact;
  };
}
