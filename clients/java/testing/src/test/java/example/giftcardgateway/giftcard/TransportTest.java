package example.giftcardgateway.giftcard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import example.giftcardgateway.giftcard.v1.BalanceRequest;
import example.giftcardgateway.giftcard.v1.BalanceResponse;
import example.giftcardgateway.giftcard.v1.CardBalance;
import example.giftcardgateway.giftcard.v1.GiftCardServiceGrpc.GiftCardServiceImplBase;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.TlsChannelCredentials;
import io.grpc.TlsServerCredentials;
import io.grpc.stub.StreamObserver;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What goes over a real connection: TLS, tokens, and what gRPC repeats by the service config. */
class TransportTest {

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final Metadata.Key<String> USER_AGENT =
      Metadata.Key.of("user-agent", Metadata.ASCII_STRING_MARSHALLER);
  private static final String PASSWORD = "changeit";
  private static final BalanceRequest REQUEST = BalanceRequest.getDefaultInstance();
  private static final CardBalance BALANCE =
      CardBalance.newBuilder().setMaskedCard("604500******0061").build();

  private static final List<Metadata> HEADERS = new CopyOnWriteArrayList<>();
  private static final AtomicInteger FAILURES = new AtomicInteger();

  private static Server server;
  private static ChannelCredentials trust;

  /** Fails as often as it is told, then answers. */
  private static final class Balances extends GiftCardServiceImplBase {
    @Override
    public void balance(BalanceRequest request, StreamObserver<BalanceResponse> observer) {
      if (FAILURES.getAndDecrement() > 0) {
        observer.onError(Status.UNAVAILABLE.asRuntimeException());
        return;
      }
      observer.onNext(BalanceResponse.newBuilder().setCardBalance(BALANCE).build());
      observer.onCompleted();
    }
  }

  private static final class Recorder implements ServerInterceptor {
    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
      HEADERS.add(headers);
      return next.startCall(call, headers);
    }
  }

  @BeforeAll
  static void start(@TempDir Path folder) throws Exception {
    var keys = KeyStore.getInstance(makeCertificate(folder).toFile(), PASSWORD.toCharArray());
    var own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    own.init(keys, PASSWORD.toCharArray());
    var trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trusted.init(keys);
    trust = TlsChannelCredentials.newBuilder().trustManager(trusted.getTrustManagers()).build();
    var shown = TlsServerCredentials.newBuilder().keyManager(own.getKeyManagers()).build();
    server =
        Grpc.newServerBuilderForPort(0, shown)
            .addService(new Balances())
            .intercept(new Recorder())
            .build()
            .start();
  }

  /** Makes a certificate for localhost that nobody signed but itself. */
  private static Path makeCertificate(Path folder) throws Exception {
    var store = folder.resolve("keys.p12");
    var keytool = Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
    var command =
        List.of(
            keytool,
            "-genkeypair",
            "-keyalg",
            "EC",
            "-alias",
            "gateway",
            "-dname",
            "CN=localhost",
            "-ext",
            "san=dns:localhost",
            "-storetype",
            "PKCS12",
            "-keystore",
            store.toString(),
            "-storepass",
            PASSWORD);
    var log = folder.resolve("keytool.log").toFile();
    var process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log).start();
    assertEquals(0, process.waitFor(), Files.readString(log.toPath()));
    // What is trusted is a certificate of its own entry.
    var keys = KeyStore.getInstance(store.toFile(), PASSWORD.toCharArray());
    keys.setCertificateEntry("authority", keys.getCertificate("gateway"));
    try (var out = Files.newOutputStream(store)) {
      keys.store(out, PASSWORD.toCharArray());
    }
    return store;
  }

  @AfterAll
  static void stop() {
    server.shutdownNow();
  }

  @BeforeEach
  void forget() {
    HEADERS.clear();
    FAILURES.set(0);
  }

  private static GiftcardClientBuilder builder() {
    return GiftcardClient.builder("localhost:" + server.getPort());
  }

  private static CallException refused(GiftcardClient client) {
    return assertThrows(CallException.class, () -> client.balance(REQUEST));
  }

  /** With an authority of one's own the gateway is trusted, and hears token and name. */
  @Test
  void trustsAnAuthorityOfYourOwn() {
    try (var client = builder().credentials(trust).token("token").build()) {
      assertEquals(BALANCE, client.balance(REQUEST));
    }
    assertEquals("Bearer token", HEADERS.get(0).get(AUTHORIZATION));
    assertTrue(HEADERS.get(0).get(USER_AGENT).startsWith("giftcard-java"));
  }

  /** TLS is what a client speaks; what it does not trust it sends nothing, and says so. */
  @Test
  void speaksTls() {
    try (var client = builder().token("token").build()) {
      var failure = refused(client);
      assertEquals(CallException.Kind.UNAVAILABLE, failure.kind());
      assertTrue(failure.getMessage().contains("certification path"), failure.getMessage());
      assertFalse(failure.isOutcomeOpen());
    }
    assertEquals(List.of(), HEADERS);
  }

  /** Where nobody listens nothing was done. */
  @Test
  void knowsThatNobodyHeard() {
    try (var client = GiftcardClient.builder("localhost:1").plaintext().build()) {
      var failure = refused(client);
      assertEquals(CallException.Kind.UNAVAILABLE, failure.kind());
      assertFalse(failure.isOutcomeOpen());
    }
  }

  /** What a gateway heard and did not answer leaves the outcome open. */
  @Test
  void knowsThatSomebodyMayHaveHeard() {
    try (var client = builder().credentials(trust).build()) {
      FAILURES.set(3);
      assertTrue(refused(client).isOutcomeOpen());
    }
  }

  /** A gateway that speaks TLS does not take plaintext. */
  @Test
  void speaksPlaintextOnlyWhenSaid() {
    try (var client = builder().plaintext().build()) {
      assertEquals(CallException.Kind.UNAVAILABLE, refused(client).kind());
    }
    assertEquals(List.of(), HEADERS);
  }

  /** gRPC repeats a read twice, as the contract's service config says. */
  @Test
  void repeatsReads() {
    try (var client = builder().credentials(trust).build()) {
      FAILURES.set(2);
      assertEquals(BALANCE, client.balance(REQUEST));
      assertEquals(3, HEADERS.size());
      FAILURES.set(3);
      assertEquals(CallException.Kind.UNAVAILABLE, refused(client).kind());
      assertEquals(6, HEADERS.size());
    }
  }
}
