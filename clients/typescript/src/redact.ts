/**
 * Printing messages without what must not be seen: the fields the contract marks with `debug_redact`.
 *
 * The secrets are read off the descriptors, so a field that a later contract marks is hidden without a change here.
 */
import {
  type DescFile,
  type DescMessage,
  type JsonValue,
  type Message,
  type Registry,
  clone,
  createRegistry,
  toJson as toProtoJson,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type Any, AnySchema, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { SERVICES } from "./abouts.js";
import { file_google_rpc_error_details } from "./gen/google/rpc/error_details_pb.js";
import { inspectWith } from "./printing.js";

const REDACTED = "[REDACTED]";

/** All messages of the contract, Google's error details among them: for what is packed in an Any. */
export const registry: Registry = createRegistry(
  ...withImports([...SERVICES.map((service) => service.file), file_google_rpc_error_details]),
);

/**
 * Returns a message as proto3 JSON with every secret field replaced; a log may hold it. 64-bit numbers are text,
 * so JSON.stringify takes it. Fields and details this release does not know are left out: they may be secret.
 */
export function redact(message: Message): JsonValue {
  return redactAs(schemaOf(message), message);
}

function redactAs(schema: DescMessage, message: Message): JsonValue {
  const copy = clone(schema, message);
  hide(reflect(schema, copy));
  try {
    return toProtoJson(schema, copy, { registry });
  } catch {
    // A date beyond year 9999, say, has no proto3 JSON; a log line must not fail for it, nor show what it was.
    return { unprintable: message.$typeName };
  }
}

/** Returns a message as proto3 JSON, secrets and all: for sending and storing, never for a log. */
export function toJson(message: Message): JsonValue {
  return toProtoJson(schemaOf(message), message, { registry });
}

/**
 * Makes a message safe to print, and all messages in it: JSON.stringify and Node's console show what `redact`
 * shows. Every message that `Client` returns is so already. Returns the message itself; what it says stays.
 */
export function protect<Shape extends Message>(message: Shape): Shape {
  return protectAs(schemaOf(message), message);
}

/** Makes a message of any contract safe to print. */
export function protectAs<Shape extends Message>(schema: DescMessage, message: Shape): Shape {
  protectAll(reflect(schema, message));
  return message;
}

function protectAll(reflected: ReflectMessage): void {
  const { desc, message }: { desc: DescMessage; message: Message } = reflected;
  Object.defineProperty(message, "toJSON", { value: () => redactAs(desc, message), configurable: true });
  inspectWith(message, (inspect) => `${desc.typeName} ${inspect(redactAs(desc, message))}`);
  for (const inner of messagesIn(reflected)) protectAll(inner);
}

/** Replaces every secret in a message. */
function hide(reflected: ReflectMessage): void {
  for (const field of reflected.fields) {
    if (!field.proto.options?.debugRedact || !reflected.isSet(field)) continue;
    const isText = field.fieldKind === "scalar" && typeof reflected.get(field) === "string";
    if (isText) reflected.set(field, REDACTED);
    else reflected.clear(field);
  }
  for (const inner of messagesIn(reflected)) hide(inner);
  if (reflected.desc.typeName === AnySchema.typeName) hidePacked(reflected.message as Any);
}

/** Replaces every secret in a packed message; one of an unknown type is emptied. */
function hidePacked(packed: Any): void {
  let message: Message | undefined;
  try {
    message = anyUnpack(packed, registry);
  } catch {
    // Bytes that are no such message are no more to be shown than an unknown one.
  }
  if (!message) {
    Object.assign(packed, { typeUrl: "", value: new Uint8Array() });
    return;
  }
  const schema = schemaOf(message);
  hide(reflect(schema, message));
  anyPack(schema, message, packed);
}

/** Lists the messages that a message holds. */
function messagesIn(reflected: ReflectMessage): ReflectMessage[] {
  return reflected.fields.flatMap((field) => {
    if (!reflected.isSet(field)) return [];
    if (field.fieldKind === "message") return [reflected.get(field)];
    if (field.fieldKind === "list" && field.listKind === "message") {
      return [...reflected.get(field)] as ReflectMessage[];
    }
    if (field.fieldKind === "map" && field.mapKind === "message") {
      return [...reflected.get(field).values()] as ReflectMessage[];
    }
    return [];
  });
}

/** Finds the descriptor of a message of the contract. */
function schemaOf(message: Message): DescMessage {
  const schema = registry.getMessage(message.$typeName);
  if (!schema) {
    throw new TypeError("This is no message of the contract: make one with create() of @bufbuild/protobuf.");
  }
  return schema;
}

/** Returns files and all that they import. */
function withImports(files: readonly DescFile[]): Set<DescFile> {
  const found = new Set<DescFile>();
  const add = (file: DescFile): void => {
    if (found.has(file)) return;
    found.add(file);
    file.dependencies.forEach(add);
  };
  files.forEach(add);
  return found;
}
