package example.giftcardgateway.giftcard;

import com.google.protobuf.Message;
import example.giftcardgateway.giftcard.v1.ActivateRequest;
import example.giftcardgateway.giftcard.v1.BalanceRequest;
import example.giftcardgateway.giftcard.v1.BatchBalanceRequest;
import example.giftcardgateway.giftcard.v1.BatchBalanceResponse;
import example.giftcardgateway.giftcard.v1.CardBalance;
import example.giftcardgateway.giftcard.v1.CardView;
import example.giftcardgateway.giftcard.v1.ConfirmActivateRequest;
import example.giftcardgateway.giftcard.v1.ConfirmIssueRequest;
import example.giftcardgateway.giftcard.v1.ConfirmLoadRequest;
import example.giftcardgateway.giftcard.v1.ConfirmRedeemRequest;
import example.giftcardgateway.giftcard.v1.ConfirmReplaceRequest;
import example.giftcardgateway.giftcard.v1.ConfirmTransferRequest;
import example.giftcardgateway.giftcard.v1.ConfirmVoidRequest;
import example.giftcardgateway.giftcard.v1.EventServiceGrpc;
import example.giftcardgateway.giftcard.v1.GetTransactionRequest;
import example.giftcardgateway.giftcard.v1.GiftCardServiceGrpc;
import example.giftcardgateway.giftcard.v1.IssueRequest;
import example.giftcardgateway.giftcard.v1.LoadRequest;
import example.giftcardgateway.giftcard.v1.LookupRequest;
import example.giftcardgateway.giftcard.v1.RedeemRequest;
import example.giftcardgateway.giftcard.v1.ReplaceRequest;
import example.giftcardgateway.giftcard.v1.ReverseActivateRequest;
import example.giftcardgateway.giftcard.v1.ReverseIssueRequest;
import example.giftcardgateway.giftcard.v1.ReverseLoadRequest;
import example.giftcardgateway.giftcard.v1.ReverseRedeemRequest;
import example.giftcardgateway.giftcard.v1.ReverseReplaceRequest;
import example.giftcardgateway.giftcard.v1.ReverseTransferRequest;
import example.giftcardgateway.giftcard.v1.ReverseVoidRequest;
import example.giftcardgateway.giftcard.v1.StreamEventsRequest;
import example.giftcardgateway.giftcard.v1.StreamEventsResponse;
import example.giftcardgateway.giftcard.v1.Transaction;
import example.giftcardgateway.giftcard.v1.TransactionServiceGrpc;
import example.giftcardgateway.giftcard.v1.TransferRequest;
import example.giftcardgateway.giftcard.v1.VoidRequest;
import example.giftcardgateway.giftcard.v1.WatchTransactionsRequest;
import example.giftcardgateway.giftcard.v1.WatchTransactionsResponse;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.time.Duration;
import java.util.Objects;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * The gateway, for code that waits. Safe to share between threads.
 *
 * <p>Every money operation comes as three calls, ask, confirm and reverse, and as a transaction
 * held open in a try-with-resources block. {@link #channel} is for all else that the contract can
 * say; {@link CallException#of} reads what its stubs throw. All calls throw {@link CallException}.
 */
public final class GiftcardClient implements AutoCloseable {

  private static final Operation<IssueRequest, ConfirmIssueRequest, ReverseIssueRequest> ISSUE =
      new Operation<>(
          GiftCardServiceGrpc.getIssueMethod(),
          GiftCardServiceGrpc.getConfirmIssueMethod(),
          GiftCardServiceGrpc.getReverseIssueMethod());
  private static final Operation<ActivateRequest, ConfirmActivateRequest, ReverseActivateRequest>
      ACTIVATE =
          new Operation<>(
              GiftCardServiceGrpc.getActivateMethod(),
              GiftCardServiceGrpc.getConfirmActivateMethod(),
              GiftCardServiceGrpc.getReverseActivateMethod());
  private static final Operation<LoadRequest, ConfirmLoadRequest, ReverseLoadRequest> LOAD =
      new Operation<>(
          GiftCardServiceGrpc.getLoadMethod(),
          GiftCardServiceGrpc.getConfirmLoadMethod(),
          GiftCardServiceGrpc.getReverseLoadMethod());
  private static final Operation<RedeemRequest, ConfirmRedeemRequest, ReverseRedeemRequest> REDEEM =
      new Operation<>(
          GiftCardServiceGrpc.getRedeemMethod(),
          GiftCardServiceGrpc.getConfirmRedeemMethod(),
          GiftCardServiceGrpc.getReverseRedeemMethod());
  private static final Operation<TransferRequest, ConfirmTransferRequest, ReverseTransferRequest>
      TRANSFER =
          new Operation<>(
              GiftCardServiceGrpc.getTransferMethod(),
              GiftCardServiceGrpc.getConfirmTransferMethod(),
              GiftCardServiceGrpc.getReverseTransferMethod());
  private static final Operation<ReplaceRequest, ConfirmReplaceRequest, ReverseReplaceRequest>
      REPLACE =
          new Operation<>(
              GiftCardServiceGrpc.getReplaceMethod(),
              GiftCardServiceGrpc.getConfirmReplaceMethod(),
              GiftCardServiceGrpc.getReverseReplaceMethod());
  private static final Operation<VoidRequest, ConfirmVoidRequest, ReverseVoidRequest> VOID =
      new Operation<>(
          GiftCardServiceGrpc.getVoidMethod(),
          GiftCardServiceGrpc.getConfirmVoidMethod(),
          GiftCardServiceGrpc.getReverseVoidMethod());

  private final Calls calls;
  // Null where the channel is not this client's to close.
  private final ManagedChannel own;

  GiftcardClient(Calls calls, ManagedChannel own) {
    this.calls = calls;
    this.own = own;
  }

  /**
   * Begins a client of an address.
   *
   * @param target such as {@code gateway.example:443}, or any target of gRPC
   */
  public static GiftcardClientBuilder builder(String target) {
    return new GiftcardClientBuilder(target, null);
  }

  /**
   * Begins a client over a channel of your own, which stays yours to close. Make it with {@link
   * GiftcardClientBuilder#configure}.
   */
  public static GiftcardClientBuilder builder(Channel channel) {
    return new GiftcardClientBuilder(null, channel);
  }

  /** Makes an id of a transaction, to be kept before it is used: a version-4 UUID. */
  public static String newTransactionId() {
    return UUID.randomUUID().toString();
  }

  /**
   * Returns this client for some calls, each with a deadline, reads too. It shares the channel,
   * which stays the first client's to close.
   */
  public GiftcardClient withDeadline(Duration deadline) {
    var policy = calls.policy().withDeadline(deadline);
    return new GiftcardClient(
        new Calls(calls.channel(), calls.under(), policy, deadline, calls.pace()), null);
  }

  /** Returns this client for some calls with further metadata; it shares the channel. */
  public GiftcardClient withMetadata(Metadata metadata) {
    var channel = ClientInterceptors.intercept(calls.channel(), new Sources(() -> metadata));
    return new GiftcardClient(
        new Calls(channel, calls.under(), calls.policy(), calls.readDeadline(), calls.pace()),
        null);
  }

  /** What calls go through, with token and metadata: for stubs of your own. */
  public Channel channel() {
    return calls.channel();
  }

  /** Makes one or more new cards; confirmed in the block, else taken back. */
  public OpenTransaction<ConfirmIssueRequest> issuance(IssueRequest request) {
    return OpenTransaction.begin(calls, ISSUE, request);
  }

  /** Makes a card live; confirmed in the block, else taken back. */
  public OpenTransaction<ConfirmActivateRequest> activation(ActivateRequest request) {
    return OpenTransaction.begin(calls, ACTIVATE, request);
  }

  /** Adds funds to a card; confirmed in the block, else taken back. */
  public OpenTransaction<ConfirmLoadRequest> loading(LoadRequest request) {
    return OpenTransaction.begin(calls, LOAD, request);
  }

  /**
   * Takes money from a card; confirmed in the block, else put back.
   *
   * @return the transaction, approved
   * @throws DeclinedException if the provider said no
   * @throws NotApprovedException if the outcome is another, or not known; then it is reversed
   * @throws CallException if the gateway refused or could not be heard; then it is reversed, too
   */
  public OpenTransaction<ConfirmRedeemRequest> redemption(RedeemRequest request) {
    return OpenTransaction.begin(calls, REDEEM, request);
  }

  /** Moves funds from one card to another; confirmed in the block, else moved back. */
  public OpenTransaction<ConfirmTransferRequest> transferring(TransferRequest request) {
    return OpenTransaction.begin(calls, TRANSFER, request);
  }

  /** Moves everything to a new card and voids the old; confirmed in the block, else undone. */
  public OpenTransaction<ConfirmReplaceRequest> replacement(ReplaceRequest request) {
    return OpenTransaction.begin(calls, REPLACE, request);
  }

  /** Ends an active card; confirmed in the block, else undone. */
  public OpenTransaction<ConfirmVoidRequest> voiding(VoidRequest request) {
    return OpenTransaction.begin(calls, VOID, request);
  }

  /** Makes one or more new cards, until it is confirmed or reversed; a decline is an answer. */
  public Transaction issue(IssueRequest request) {
    return ask(ISSUE, request);
  }

  /** Makes an issuance final; one that fails throws {@link ConfirmationFailedException}. */
  public Transaction confirmIssue(ConfirmIssueRequest request) {
    return confirm(ISSUE, request);
  }

  /** Takes an issuance back; may come before its request, which is then refused. */
  public Transaction reverseIssue(ReverseIssueRequest request) {
    return reverse(ISSUE, request);
  }

  /** Makes a card live, until it is confirmed or reversed; a decline is an answer. */
  public Transaction activate(ActivateRequest request) {
    return ask(ACTIVATE, request);
  }

  /** Makes an activation final; one that fails throws {@link ConfirmationFailedException}. */
  public Transaction confirmActivate(ConfirmActivateRequest request) {
    return confirm(ACTIVATE, request);
  }

  /** Takes an activation back; may come before its request, which is then refused. */
  public Transaction reverseActivate(ReverseActivateRequest request) {
    return reverse(ACTIVATE, request);
  }

  /** Adds funds to a card, until it is confirmed or reversed; a decline is an answer. */
  public Transaction load(LoadRequest request) {
    return ask(LOAD, request);
  }

  /** Makes a load final; one that fails throws {@link ConfirmationFailedException}. */
  public Transaction confirmLoad(ConfirmLoadRequest request) {
    return confirm(LOAD, request);
  }

  /** Takes a load back; may come before its request, which is then refused. */
  public Transaction reverseLoad(ReverseLoadRequest request) {
    return reverse(LOAD, request);
  }

  /** Takes money from a card, until it is confirmed or reversed; a decline is an answer. */
  public Transaction redeem(RedeemRequest request) {
    return ask(REDEEM, request);
  }

  /** Makes a redemption final; one that fails throws {@link ConfirmationFailedException}. */
  public Transaction confirmRedeem(ConfirmRedeemRequest request) {
    return confirm(REDEEM, request);
  }

  /** Takes a redemption back; may come before its request, which is then refused. */
  public Transaction reverseRedeem(ReverseRedeemRequest request) {
    return reverse(REDEEM, request);
  }

  /**
   * Moves funds from one card to another, until it is confirmed or reversed; a decline is an
   * answer.
   */
  public Transaction transfer(TransferRequest request) {
    return ask(TRANSFER, request);
  }

  /** Makes a transfer final; one that fails throws {@link ConfirmationFailedException}. */
  public Transaction confirmTransfer(ConfirmTransferRequest request) {
    return confirm(TRANSFER, request);
  }

  /** Takes a transfer back; may come before its request, which is then refused. */
  public Transaction reverseTransfer(ReverseTransferRequest request) {
    return reverse(TRANSFER, request);
  }

  /**
   * Moves everything to a new card and voids the old, until it is confirmed or reversed; a decline
   * is an answer.
   */
  public Transaction replace(ReplaceRequest request) {
    return ask(REPLACE, request);
  }

  /** Makes a replacement final; one that fails throws {@link ConfirmationFailedException}. */
  public Transaction confirmReplace(ConfirmReplaceRequest request) {
    return confirm(REPLACE, request);
  }

  /** Takes a replacement back; may come before its request, which is then refused. */
  public Transaction reverseReplace(ReverseReplaceRequest request) {
    return reverse(REPLACE, request);
  }

  /** Ends an active card, until it is confirmed or reversed; a decline is an answer. */
  public Transaction voidCard(VoidRequest request) {
    return ask(VOID, request);
  }

  /** Makes a void final; one that fails throws {@link ConfirmationFailedException}. */
  public Transaction confirmVoid(ConfirmVoidRequest request) {
    return confirm(VOID, request);
  }

  /** Takes a void back; may come before its request, which is then refused. */
  public Transaction reverseVoid(ReverseVoidRequest request) {
    return reverse(VOID, request);
  }

  /** Reads the balances of a card. */
  public CardBalance balance(BalanceRequest request) {
    return calls.once(GiftCardServiceGrpc.getBalanceMethod(), request).getCardBalance();
  }

  /** Reads the balances of many cards, an item for each request in the same order. */
  public BatchBalanceResponse batchBalance(BatchBalanceRequest request) {
    return calls.once(GiftCardServiceGrpc.getBatchBalanceMethod(), request);
  }

  /** Reads everything about a card. */
  public CardView lookup(LookupRequest request) {
    return calls.once(GiftCardServiceGrpc.getLookupMethod(), request).getCard();
  }

  /** Reads how a transaction stands. */
  public Transaction getTransaction(String transactionId) {
    var request = GetTransactionRequest.newBuilder().setTransactionId(transactionId).build();
    return calls.once(TransactionServiceGrpc.getGetTransactionMethod(), request).getTransaction();
  }

  /**
   * Reads a list page by page: {@code pages(TransactionServiceGrpc.getListTransactionsMethod(),
   * request)}. The first page is read at once, each next one when it is asked for.
   */
  public <Q extends Message, A extends Message> Stream<A> pages(
      MethodDescriptor<Q, A> list, Q request) {
    return Stream.iterate(
        calls.once(list, request), Objects::nonNull, page -> nextPage(list, request, page));
  }

  /**
   * Follows what happens to transactions, and goes on by itself after a break. Close it, best as a
   * resource of a try block.
   */
  public Following<WatchTransactionsResponse> watch(WatchTransactionsRequest request) {
    return new Following<>(calls, TransactionServiceGrpc.getWatchTransactionsMethod(), request);
  }

  /**
   * Follows what providers report, and goes on by itself after a break. Close it, best as a
   * resource of a try block.
   */
  public Following<StreamEventsResponse> events(StreamEventsRequest request) {
    return new Following<>(calls, EventServiceGrpc.getStreamEventsMethod(), request);
  }

  /** Closes the channel, if the client made it; calls on their way may still end. */
  @Override
  public void close() {
    if (own != null) {
      own.shutdown();
    }
  }

  @SuppressWarnings("unchecked") // What is built of a request is a request.
  private <Q extends Message, A extends Message> A nextPage(
      MethodDescriptor<Q, A> list, Q request, A page) {
    var next = page.getField(page.getDescriptorForType().findFieldByName("next_page_token"));
    if (next.equals("")) {
      return null;
    }
    var token = request.getDescriptorForType().findFieldByName("page_token");
    return calls.once(list, (Q) request.toBuilder().setField(token, next).build());
  }

  private <Q extends Message> Transaction ask(Operation<Q, ?, ?> operation, Q request) {
    return calls.ask(operation.ask(), request);
  }

  private <C extends Message> Transaction confirm(Operation<?, C, ?> operation, C request) {
    return calls.decide(operation.confirm(), request);
  }

  private <R extends Message> Transaction reverse(Operation<?, ?, R> operation, R request) {
    return calls.decide(operation.reverse(), request);
  }
}
