/** A server that says what no well-behaved one says: bare gRPC over HTTP/2, frame by frame. */
import { type Http2Server, type ServerHttp2Session, type ServerHttp2Stream, createServer } from "node:http2";
import type { AddressInfo } from "node:net";

/** What the server does with a call, which has arrived in full. */
export type Answer = (stream: ServerHttp2Stream, call: string) => void;

export class RawGateway implements AsyncDisposable {
  readonly calls: string[] = [];
  /** When the first who came has closed the connection. */
  readonly left: Promise<void>;
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #answers: Answer[];

  private constructor(answers: Answer[]) {
    this.#answers = answers;
    this.#server = createServer().on("session", (session) => {
      this.#sessions.add(session);
    });
    this.left = new Promise((resolve) => {
      this.#server.once("session", (session) => session.once("close", resolve));
    });
    this.#server.on("stream", (stream, headers) => {
      const call = String(headers[":path"]).split("/").at(-1) ?? "";
      this.calls.push(call);
      stream.on("error", () => undefined);
      stream.resume().on("end", () => {
        // The last answer is given again and again.
        const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0];
        answer?.(stream, call);
      });
    });
  }

  static async start(...answers: Answer[]): Promise<RawGateway> {
    const gateway = new RawGateway(answers);
    await new Promise<void>((resolve) => gateway.#server.listen(0, "127.0.0.1", resolve));
    return gateway;
  }

  get target(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Ends a call with a status, as a server does that has nothing else to say. */
export function status(code: number, message = "", details?: string): Answer {
  return (stream) => {
    const headers = {
      ":status": 200,
      "content-type": "application/grpc",
      "grpc-status": String(code),
      "grpc-message": encodeURIComponent(message),
      ...(details !== undefined && { "grpc-status-details-bin": details }),
    };
    stream.respond(headers, { endStream: true });
  };
}

/** Answers with bytes, in an envelope that promises as many, or more if told so. */
export function bytes(message: Uint8Array, promised = message.length): Answer {
  return (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => {
      stream.sendTrailers({ "grpc-status": "0" });
    });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(promised, 1);
    stream.end(Buffer.concat([head, message]));
  };
}
