/** The client for browsers: gRPC-Web or Connect over fetch, by @connectrpc/connect-web. */
import {
  type GrpcWebTransportOptions,
  createConnectTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-web";
import { Client, type ClientOptions } from "./client.js";

/** How a gateway is reached from a browser. */
export interface WebOptions extends ClientOptions {
  /** What the door in front of the gateway speaks; `grpc-web` if left out. */
  readonly protocol?: "grpc-web" | "connect";
  /** What fetches in place of the browser's own, such as one that sends cookies. */
  readonly fetch?: typeof globalThis.fetch;
}

/**
 * Makes a client of the gateway behind a door for browsers, such as Envoy: `connect("https://shop.example/api")`.
 * For a transport of your own use `new Client(transport)`.
 */
export function connect(baseUrl: string, options: WebOptions = {}): Client {
  const { protocol = "grpc-web", fetch, ...rest } = options;
  const to: GrpcWebTransportOptions = { baseUrl, ...(fetch && { fetch }) };
  // Never Connect's GET: it would put card numbers into addresses. Envoy's bridge takes no JSON.
  const transport =
    protocol === "connect"
      ? createConnectTransport({ ...to, useBinaryFormat: true })
      : createGrpcWebTransport(to);
  return new Client(transport, rest);
}
