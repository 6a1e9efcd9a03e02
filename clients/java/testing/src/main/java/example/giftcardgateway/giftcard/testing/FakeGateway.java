package example.giftcardgateway.giftcard.testing;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import example.giftcardgateway.giftcard.GiftcardClient;
import example.giftcardgateway.giftcard.v1.CatalogServiceGrpc;
import example.giftcardgateway.giftcard.v1.DeclineReason;
import example.giftcardgateway.giftcard.v1.EventServiceGrpc;
import example.giftcardgateway.giftcard.v1.GiftCardServiceGrpc;
import example.giftcardgateway.giftcard.v1.Operation;
import example.giftcardgateway.giftcard.v1.ProviderServiceGrpc;
import example.giftcardgateway.giftcard.v1.ReportServiceGrpc;
import example.giftcardgateway.giftcard.v1.StoredCardServiceGrpc;
import example.giftcardgateway.giftcard.v1.Transaction;
import example.giftcardgateway.giftcard.v1.TransactionServiceGrpc;
import example.giftcardgateway.giftcard.v1.TransactionState;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.Server;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A gateway in memory, for the tests of those who use the client: served within this process.
 *
 * <p>It knows the life of a transaction and no cards: it approves what it is asked, replays,
 * confirms and reverses, unless it is told otherwise. It is no model of the real gateway, only of
 * what a caller meets; to try the real one, run the sandbox.
 *
 * <p>What it is told with {@link #decline}, {@link #fail}, {@link #lose}, {@link #answer} and
 * {@link #stream} holds for the next call of that name, once, and later telling queues behind it.
 */
public final class FakeGateway implements AutoCloseable {

  private static final String DOMAIN = "giftcard.v1";
  private static final List<ServiceDescriptor> SERVICES =
      List.of(
          CatalogServiceGrpc.getServiceDescriptor(),
          EventServiceGrpc.getServiceDescriptor(),
          GiftCardServiceGrpc.getServiceDescriptor(),
          ProviderServiceGrpc.getServiceDescriptor(),
          ReportServiceGrpc.getServiceDescriptor(),
          StoredCardServiceGrpc.getServiceDescriptor(),
          TransactionServiceGrpc.getServiceDescriptor());
  private static final Set<String> CALLS =
      SERVICES.stream()
          .flatMap(service -> service.getMethods().stream())
          .map(MethodDescriptor::getBareMethodName)
          .collect(Collectors.toUnmodifiableSet());

  private final List<Message> seen = new ArrayList<>();
  private final Map<String, Transaction> transactions = new LinkedHashMap<>();
  private final Queue<DeclineReason> declines = new ArrayDeque<>();
  private final Map<String, Queue<StatusRuntimeException>> failures = new HashMap<>();
  private final Map<String, Integer> losses = new HashMap<>();
  private final Map<String, Queue<Message>> answers = new HashMap<>();
  private final Map<String, Queue<Telling>> streams = new HashMap<>();
  private final Server server;
  private final ManagedChannel channel;

  /** What one stream tells, and how it ends; with null it stays open. */
  private record Telling(List<? extends Message> messages, Status end) {
    @Override
    public String toString() {
      return messages.size() + " messages";
    }
  }

  /** Starts a gateway that approves. */
  public FakeGateway() {
    var name = InProcessServerBuilder.generateName();
    var builder = InProcessServerBuilder.forName(name);
    SERVICES.forEach(service -> builder.addService(serve(service)));
    server = builder.build();
    try {
      server.start();
    } catch (IOException unexpected) {
      throw new UncheckedIOException(unexpected);
    }
    channel = InProcessChannelBuilder.forName(name).build();
  }

  /** Makes a client of this gateway. */
  public GiftcardClient client() {
    return GiftcardClient.builder(channel).build();
  }

  /** The channel to this gateway, for a client or stubs with settings of your own. */
  public ManagedChannel channel() {
    return channel;
  }

  /** Declines the next money operation. */
  public synchronized void decline(DeclineReason reason) {
    declines.add(reason);
  }

  /**
   * Refuses the next call of a name.
   *
   * @param call such as {@code Redeem}
   * @param reason a name of {@code ErrorReason} without its prefix; empty for an error of nobody
   */
  public void fail(String call, Status.Code code, String reason) {
    fail(call, refusal(code, reason));
  }

  /** Ends the next call of a name with a status, details and all. */
  public void fail(String call, com.google.rpc.Status status) {
    fail(call, StatusProto.toStatusRuntimeException(status));
  }

  private synchronized void fail(String call, StatusRuntimeException failure) {
    failures.computeIfAbsent(known(call), any -> new ArrayDeque<>()).add(failure);
  }

  /** Does what the next call of a name asks, and loses the answer: DEADLINE_EXCEEDED. */
  public synchronized void lose(String call) {
    losses.merge(known(call), 1, Integer::sum);
  }

  /** Answers the next call of a name with a response of its own kind. */
  public synchronized void answer(String call, Message response) {
    answers.computeIfAbsent(known(call), any -> new ArrayDeque<>()).add(response);
  }

  /** Lets the next stream of a name tell messages and then end; with {@link Status#OK}, well. */
  public synchronized void stream(String call, List<? extends Message> messages, Status end) {
    var telling = new Telling(List.copyOf(messages), end);
    streams.computeIfAbsent(known(call), any -> new ArrayDeque<>()).add(telling);
  }

  /** Lets the next stream of a name tell messages and then stay open. */
  public void stream(String call, List<? extends Message> messages) {
    stream(call, messages, null);
  }

  /** The requests that came, oldest first. */
  public synchronized List<Message> seen() {
    return List.copyOf(seen);
  }

  /** The names of the calls that came, oldest first, such as {@code ConfirmRedeem}. */
  public List<String> calls() {
    return seen().stream()
        .map(each -> each.getDescriptorForType().getName().replaceFirst("Request$", ""))
        .toList();
  }

  /** How a transaction stands, if it was heard of. */
  public synchronized Optional<Transaction> transaction(String transactionId) {
    return Optional.ofNullable(transactions.get(transactionId));
  }

  @Override
  public void close() {
    channel.shutdownNow();
    server.shutdownNow();
  }

  private static String known(String call) {
    if (!CALLS.contains(call)) {
      throw new IllegalArgumentException(call + " is no call of the contract.");
    }
    return call;
  }

  private ServerServiceDefinition serve(ServiceDescriptor service) {
    var served = ServerServiceDefinition.builder(service.getName());
    for (var method : service.getMethods()) {
      if (method.getType().clientSendsOneMessage()) {
        served.addMethod(serve(method));
      }
    }
    return served.build();
  }

  @SuppressWarnings("unchecked") // Every message of the contract is a Message.
  private ServerMethodDefinition<Message, Message> serve(MethodDescriptor<?, ?> method) {
    var typed = (MethodDescriptor<Message, Message>) method;
    if (method.getType() == MethodType.SERVER_STREAMING) {
      return ServerMethodDefinition.create(
          typed,
          ServerCalls.asyncServerStreamingCall(
              (request, observer) -> pour(method.getBareMethodName(), request, observer)));
    }
    var handler =
        ServerCalls.asyncUnaryCall(
            (Message request, StreamObserver<Message> observer) -> {
              try {
                observer.onNext(handle(typed, request));
                observer.onCompleted();
              } catch (StatusRuntimeException refusal) {
                observer.onError(refusal);
              }
            });
    return ServerMethodDefinition.create(typed, handler);
  }

  /** Tells what the next stream of a name is to tell. */
  private void pour(String call, Message request, StreamObserver<Message> observer) {
    Telling telling;
    try {
      telling = nextStream(call, request);
    } catch (StatusRuntimeException refusal) {
      observer.onError(refusal);
      return;
    }
    telling.messages().forEach(observer::onNext);
    if (telling.end() != null && telling.end().isOk()) {
      observer.onCompleted();
    } else if (telling.end() != null) {
      observer.onError(telling.end().asRuntimeException());
    }
  }

  private synchronized Telling nextStream(String call, Message request) {
    seen.add(request);
    var failure = failures.getOrDefault(call, new ArrayDeque<>()).poll();
    if (failure != null) {
      throw failure;
    }
    var telling = streams.getOrDefault(call, new ArrayDeque<>()).poll();
    if (telling == null) {
      var nothing = Status.UNIMPLEMENTED.withDescription("nobody said what " + call + " tells");
      throw nothing.asRuntimeException();
    }
    return telling;
  }

  /** Does what a call asks, then answers or loses the answer. */
  private synchronized Message handle(MethodDescriptor<Message, Message> method, Message request) {
    var call = method.getBareMethodName();
    seen.add(request);
    var failure = failures.getOrDefault(call, new ArrayDeque<>()).poll();
    if (failure != null) {
      throw failure;
    }
    var response = respond(method, request);
    if (losses.getOrDefault(call, 0) > 0) {
      losses.merge(call, -1, Integer::sum);
      throw refusal(Status.Code.DEADLINE_EXCEEDED, "");
    }
    return response;
  }

  private Message respond(MethodDescriptor<Message, Message> method, Message request) {
    var call = method.getBareMethodName();
    var answer = answers.getOrDefault(call, new ArrayDeque<>()).poll();
    if (answer != null) {
      return answer;
    }
    var empty =
        ((PrototypeMarshaller<Message>) method.getResponseMarshaller()).getMessagePrototype();
    var id = request.getDescriptorForType().findFieldByName("transaction_id");
    var given = id == null ? "" : (String) request.getField(id);
    Transaction transaction;
    if (CALLS.contains("Confirm" + call)) {
      transaction = ask(call, given);
    } else if (call.startsWith("Confirm")) {
      transaction = confirm(given);
    } else if (call.startsWith("Reverse")) {
      transaction = reverse(given);
    } else if (call.equals("GetTransaction")) {
      transaction = find(given);
    } else {
      return empty;
    }
    var field = empty.getDescriptorForType().findFieldByName("transaction");
    return empty.toBuilder().setField(field, transaction).build();
  }

  /** Begins a transaction, or gives what was recorded of it. */
  private Transaction ask(String call, String id) {
    var known = transactions.get(id);
    if (known != null) {
      if (known.getState() == TransactionState.TRANSACTION_STATE_REVERSED) {
        throw refusal(Status.Code.FAILED_PRECONDITION, "TRANSACTION_REVERSED");
      }
      return known;
    }
    var made =
        Transaction.newBuilder()
            .setTransactionId(id)
            .setOperation(Operation.valueOf("OPERATION_" + call.toUpperCase(Locale.ROOT)))
            .setState(TransactionState.TRANSACTION_STATE_APPROVED);
    var decline = declines.poll();
    if (decline != null) {
      made.setState(TransactionState.TRANSACTION_STATE_DECLINED);
      made.getDeclineBuilder().setReason(decline);
    }
    return keep(made);
  }

  private Transaction confirm(String id) {
    var undone =
        EnumSet.of(
            TransactionState.TRANSACTION_STATE_REVERSED,
            TransactionState.TRANSACTION_STATE_DECLINED);
    return decide(find(id), undone, TransactionState.TRANSACTION_STATE_CONFIRMED);
  }

  /** Reverses a transaction, which may come first. */
  private Transaction reverse(String id) {
    var known =
        transactions.getOrDefault(id, Transaction.newBuilder().setTransactionId(id).build());
    var done = EnumSet.of(TransactionState.TRANSACTION_STATE_CONFIRMED);
    return decide(known, done, TransactionState.TRANSACTION_STATE_REVERSED);
  }

  private Transaction decide(
      Transaction known, Set<TransactionState> forbidden, TransactionState state) {
    if (forbidden.contains(known.getState())) {
      throw refusal(Status.Code.FAILED_PRECONDITION, "STATE_CONFLICT");
    }
    return keep(known.toBuilder().setState(state));
  }

  private Transaction find(String id) {
    var known = transactions.get(id);
    if (known == null) {
      throw refusal(Status.Code.NOT_FOUND, "TRANSACTION_NOT_FOUND");
    }
    return known;
  }

  private Transaction keep(Transaction.Builder made) {
    var transaction = made.build();
    transactions.put(transaction.getTransactionId(), transaction);
    return transaction;
  }

  private static StatusRuntimeException refusal(Status.Code code, String reason) {
    var status = com.google.rpc.Status.newBuilder().setCode(code.value()).setMessage(reason);
    if (!reason.isEmpty()) {
      status.addDetails(
          Any.pack(ErrorInfo.newBuilder().setReason(reason).setDomain(DOMAIN).build()));
    }
    return StatusProto.toStatusRuntimeException(status.build());
  }
}
