package example.giftcardgateway.giftcard;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.TlsChannelCredentials;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** What a {@link GiftcardClient} is told before it is made. */
public final class GiftcardClientBuilder {

  private static final Map<String, ?> SERVICE_CONFIG = readServiceConfig();
  // The gateway takes pings every 10 s; half a minute outlives the idle limits of the usual
  // balancers.
  private static final long KEEPALIVE_S = 30;
  private static final long KEEPALIVE_TIMEOUT_S = 10;

  // One of them is null.
  private final String target;
  private final Channel channel;

  private final List<Sources> sources = new ArrayList<>();
  private boolean hasToken;
  private boolean isPlaintext;
  private ChannelCredentials credentials;
  private Consumer<ManagedChannelBuilder<?>> settings = builder -> {};
  private boolean hasSettings;
  private RepeatPolicy policy = RepeatPolicy.DEFAULT;

  GiftcardClientBuilder(String target, Channel channel) {
    this.target = target;
    this.channel = channel;
  }

  /** Gives a channel what the gateway's clients use: the contract's service config, keepalive. */
  public static <B extends ManagedChannelBuilder<?>> B configure(B builder) {
    builder.defaultServiceConfig(SERVICE_CONFIG);
    builder.keepAliveTime(KEEPALIVE_S, TimeUnit.SECONDS);
    builder.keepAliveTimeout(KEEPALIVE_TIMEOUT_S, TimeUnit.SECONDS);
    return builder;
  }

  /** Leaves the channel open to whoever listens: for a sandbox on this machine. */
  public GiftcardClientBuilder plaintext() {
    isPlaintext = true;
    return this;
  }

  /**
   * Protects the channel by other means than TLS with the usual authorities, such as {@link
   * TlsChannelCredentials} with an authority or a certificate of your own.
   */
  public GiftcardClientBuilder credentials(ChannelCredentials other) {
    credentials = other;
    return this;
  }

  /** Sets anything else that gRPC lets set on a channel, interceptors among it. */
  public GiftcardClientBuilder settings(Consumer<ManagedChannelBuilder<?>> own) {
    settings = own;
    hasSettings = true;
    return this;
  }

  /** Shows a bearer token or an API key with every call. */
  public GiftcardClientBuilder token(String token) {
    return token(() -> token);
  }

  /**
   * Shows a bearer token with every call. If what gives it fails, the call is not sent and throws
   * {@link CallException.Kind#CALL_NOT_SENT}.
   *
   * @param token asked before every attempt, by the thread that calls
   */
  public GiftcardClientBuilder token(Supplier<String> token) {
    hasToken = true;
    sources.add(Sources.ofToken(token));
    return this;
  }

  /**
   * Sends metadata with every call.
   *
   * @param metadata asked before every attempt, by the thread that calls
   */
  public GiftcardClientBuilder metadata(Supplier<Metadata> metadata) {
    sources.add(new Sources(metadata));
    return this;
  }

  /** Sets how long a money call may take, and how it is repeated. */
  public GiftcardClientBuilder policy(RepeatPolicy other) {
    policy = other;
    return this;
  }

  /**
   * Makes the client; it connects with its first call.
   *
   * @throws IllegalStateException if what was said does not go together
   */
  public GiftcardClient build() {
    return build(Pace.SYSTEM);
  }

  GiftcardClient build(Pace pace) {
    var own = channel == null ? open() : null;
    var under = own == null ? channel : own;
    if (own == null && (isPlaintext || credentials != null || hasSettings)) {
      throw new IllegalStateException(
          "Plaintext, credentials and settings are for a channel the client makes.");
    }
    var intercepted = ClientInterceptors.intercept(under, sources);
    return new GiftcardClient(new Calls(intercepted, under, policy, null, pace), own);
  }

  private ManagedChannel open() {
    if (isPlaintext && credentials != null) {
      throw new IllegalStateException(
          "Credentials protect a channel, plaintext leaves it open: say one of them.");
    }
    if (isPlaintext && hasToken && !isLoopback(target)) {
      throw new IllegalStateException(
          "A token on a plaintext channel can be read by everybody on its way: use TLS.");
    }
    var protection = credentials == null ? TlsChannelCredentials.create() : credentials;
    var version = GiftcardClient.class.getPackage().getImplementationVersion();
    var builder =
        configure(
            Grpc.newChannelBuilder(
                target, isPlaintext ? InsecureChannelCredentials.create() : protection));
    builder.userAgent(version == null ? "giftcard-java" : "giftcard-java/" + version);
    settings.accept(builder);
    return builder.build();
  }

  private static boolean isLoopback(String target) {
    var address = target.substring(target.lastIndexOf('/') + 1);
    var host = address.replaceFirst(":[0-9]+$", "").replaceAll("[\\[\\]]", "");
    return host.equals("localhost") || host.equals("::1") || host.matches("127(\\.[0-9]+){3}");
  }

  private static Map<String, ?> readServiceConfig() {
    try (var file = GiftcardClient.class.getResourceAsStream("grpc_service_config.json")) {
      var reader = new InputStreamReader(file, StandardCharsets.UTF_8);
      return new Gson().fromJson(reader, new TypeToken<Map<String, ?>>() {}.getType());
    } catch (IOException unreadable) {
      throw new UncheckedIOException(unreadable);
    }
  }
}
