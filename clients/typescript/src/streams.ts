/** Streams that go on by themselves after a break, and lists read page by page. */
import {
  type DescMessage,
  type DescMethodServerStreaming,
  type MessageInitShape,
  type MessageShape,
  create,
} from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { CallOptions } from "@connectrpc/connect";
import { CallError } from "./errors.js";
import { type RepeatPolicy, pauseAfterMs } from "./repeats.js";

/** Gives every page of a list, such as `pages(client.transactions.listTransactions, { pageSize: 50 })`. */
export async function* pages<Request extends object, Page extends { readonly nextPageToken: string }>(
  list: (request: Request, options?: CallOptions) => Promise<Page>,
  request: NoInfer<Request>,
  options?: CallOptions,
): AsyncGenerator<Page, void, undefined> {
  let page = await list(request, options);
  yield page;
  while (page.nextPageToken) {
    page = await list({ ...request, pageToken: page.nextPageToken }, options);
    yield page;
  }
}

/** How a stream is followed. */
export interface FollowOptions {
  /** Ends the stream; whoever reads it gets the error of that. */
  readonly signal?: AbortSignal;
}

/** A request that says where its stream begins. */
interface Starting {
  start:
    | { case: "cursor"; value: string }
    | { case: "startTime"; value: Timestamp }
    | { case: undefined; value?: undefined };
}

type Open<I extends DescMessage, O extends DescMessage> = (
  request: MessageInitShape<I>,
  options: CallOptions,
) => AsyncIterable<MessageShape<O>>;

/**
 * Follows a stream. It goes on where its last message's cursor says, so nothing is left out; the last message may
 * come twice. Where it broke before its first message, it goes on from the time it was begun. What the gateway
 * refuses ends it; an outage does not, and a fault of the gateway is tried as often as the policy says.
 */
export async function* follow<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  open: Open<I, O>,
  policy: RepeatPolicy,
  input: MessageInitShape<I>,
  { signal }: FollowOptions,
): AsyncGenerator<MessageShape<O>, void, undefined> {
  const began = timestampFromMs(Date.now());
  let start = (create(method.input, input) as unknown as Starting).start;
  for (let breaks = 0; ; breaks++) {
    const left = new AbortController();
    const either = signal ? AbortSignal.any([signal, left.signal]) : left.signal;
    let failure: CallError | undefined;
    try {
      const request = { ...input, start } as MessageInitShape<I>;
      for await (const told of open(request, { signal: either })) {
        breaks = 0;
        start = { case: "cursor", value: (told as unknown as { cursor: string }).cursor };
        yield told;
      }
    } catch (error) {
      if (!(error instanceof CallError) || signal?.aborted || !goesOn(error, breaks, policy)) throw error;
      failure = error;
    } finally {
      // Of a stream that nobody reads any more the gateway hears so.
      left.abort();
    }
    if (start.case === undefined) start = { case: "startTime", value: began };
    await policy.sleep(pauseAfterMs(policy, breaks, failure), signal);
  }
}

function goesOn({ kind }: CallError, breaks: number, policy: RepeatPolicy): boolean {
  return (
    kind === "Unavailable" || kind === "Throttled" || (kind === "NoAnswer" && breaks + 1 < policy.attempts)
  );
}
