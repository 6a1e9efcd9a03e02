/** The client for Node: gRPC over HTTP/2, by @connectrpc/connect-node. */
import type { ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import { isIP } from "node:net";
import type { SecureContextOptions } from "node:tls";
import { decodeBinaryHeader } from "@connectrpc/connect";
import { Http2SessionManager, createGrpcTransport } from "@connectrpc/connect-node";
import { Client, type ClientOptions } from "./client.js";
import { unsent } from "./errors.js";
import { StatusSchema } from "./gen/google/rpc/status_pb.js";

/** How a gateway is reached. */
export interface ConnectOptions extends ClientOptions {
  /** Leaves the connection open to everybody on its way: for a sandbox, and for a sidecar of your own. */
  readonly plaintext?: boolean;
  /** The PEM authorities to trust in place of the usual ones, and a certificate of yours with its key. */
  readonly tls?: Pick<SecureContextOptions, "ca" | "cert" | "key" | "passphrase">;
}

// The gateway takes pings every 10 s; half a minute outlives the idle limits of the usual balancers.
const PINGS = { pingIntervalMs: 30_000, pingTimeoutMs: 10_000 };

/** A client that owns its connection, and closes it. */
class NodeClient extends Client {
  readonly #sessions: Http2SessionManager;

  constructor(baseUrl: string, sessions: Http2SessionManager, options: ClientOptions) {
    super(createGrpcTransport({ baseUrl, sessionManager: sessions }), options);
    this.#sessions = sessions;
  }

  override close(): void {
    super.close();
    this.#sessions.abort();
  }
}

/**
 * Makes a client of the gateway at `host:port`: over TLS unless `plaintext` is said. The connection is made with
 * the first call, and stays until the client is closed or has been idle for long; hold it with `await using`.
 *
 * Throws TypeError for an address that is none, and for options that contradict each other.
 */
export function connect(target: string, options: ConnectOptions = {}): Client {
  const { plaintext = false, tls, ...rest } = options;
  const url = urlOf(target, plaintext);
  if (plaintext && tls)
    throw new TypeError("`tls` protects a connection, `plaintext` leaves it open: say one.");
  if (plaintext && rest.token !== undefined && !isLoopback(url.hostname)) {
    throw new TypeError("A token on a plaintext connection can be read by everybody on its way: use TLS.");
  }
  return new NodeClient(url.origin, new Sessions(url, PINGS, tls ?? {}), rest);
}

function urlOf(target: string, plaintext: boolean): URL {
  const text = `${plaintext ? "http" : "https"}://${target}`;
  const isAddress = /^(\[[0-9a-fA-F:]+\]|[^\s/:@?#[\]]+):[0-9]{1,5}$/.test(target) && URL.canParse(text);
  if (!isAddress) throw new TypeError('A gateway\'s address is host:port, such as "gateway.example:443".');
  return new URL(text);
}

/** Tells whether a host is this machine, so that nobody reads along. */
function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  return bare === "localhost" || bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
}

/**
 * Connections over which an error is never lost with details that cannot be decoded, and of which it is known
 * whether a request came onto one: a request that this throws for was never given to a connection.
 */
class Sessions extends Http2SessionManager {
  override async request(...call: Parameters<Http2SessionManager["request"]>): Promise<ClientHttp2Stream> {
    const stream = await super.request(...call).catch((thrown: unknown) => {
      throw unsent(thrown);
    });
    stream.on("response", dropBadDetails);
    stream.on("trailers", dropBadDetails);
    return stream;
  }
}

const DETAILS = "grpc-status-details-bin";

/**
 * Takes a status's details out if they cannot be read or are of another status: Connect would take them for the
 * whole truth, and tell DATA_LOSS, or no error at all, in place of what the gateway said.
 */
function dropBadDetails(headers: IncomingHttpHeaders): void {
  const details = headers[DETAILS];
  if (details === undefined) return;
  try {
    const { code } = decodeBinaryHeader(String(details), StatusSchema);
    if (String(code) === headers["grpc-status"]) return;
  } catch {
    // What cannot be decoded is as no details.
  }
  // A header cannot be undefined for Connect, so it has to go.
  Reflect.deleteProperty(headers, DETAILS);
}
