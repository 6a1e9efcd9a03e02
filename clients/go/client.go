package giftcard

import (
	"context"
	"crypto/tls"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

// Client has every call of the contract under its own name, and the Hold methods. It may be used by many
// goroutines at once.
//
// A money call is repeated as RepeatPolicy says, always with the same request. An ask whose answer got lost
// is looked up; a confirmation that fails is a *ConfirmationFailed; every other error is a *CallError. A decline is
// an answer, no error: ask IsDeclined.
type Client struct {
	giftcardv1.GiftCardServiceClient
	giftcardv1.TransactionServiceClient
	giftcardv1.StoredCardServiceClient
	giftcardv1.CatalogServiceClient
	giftcardv1.ReportServiceClient
	giftcardv1.EventServiceClient
	giftcardv1.ProviderServiceClient

	conn       *conn
	disconnect func() error
}

// TokenSource gives a bearer token or an API key, before every attempt.
type TokenSource func(ctx context.Context) (string, error)

// Token gives always the same one.
func Token(token string) TokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

// MetadataSource gives what goes beside a call, before every attempt.
type MetadataSource func(ctx context.Context) (metadata.MD, error)

// Option changes how a client is made.
type Option func(*settings)

type settings struct {
	isPlaintext bool
	tls         *tls.Config
	dial        []grpc.DialOption
	hasToken    bool
	sources     []MetadataSource
	policy      RepeatPolicy
}

// WithPlaintext leaves the connection unprotected: for a sandbox, or a proxy on this machine.
func WithPlaintext() Option { return func(s *settings) { s.isPlaintext = true } }

// WithTLS protects the connection with authorities or a certificate of your own.
func WithTLS(config *tls.Config) Option { return func(s *settings) { s.tls = config } }

// WithDialOptions adds gRPC's own options, such as interceptors, which run for every attempt.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dial = append(s.dial, options...) }
}

// WithToken shows a bearer token or an API key with every call. If the source fails, the call is not sent.
func WithToken(source TokenSource) Option {
	return func(s *settings) {
		s.hasToken = true
		s.sources = append(s.sources, func(ctx context.Context) (metadata.MD, error) {
			token, err := source(ctx)
			return metadata.Pairs("authorization", "Bearer "+token), err
		})
	}
}

// WithMetadata sends metadata with every call. If the source fails, the call is not sent.
func WithMetadata(source MetadataSource) Option {
	return func(s *settings) { s.sources = append(s.sources, source) }
}

// WithRepeats changes how long a money call may take, and how it is repeated.
func WithRepeats(policy RepeatPolicy) Option { return func(s *settings) { s.policy = policy } }

// NewClient makes a client of the gateway at host:port. It uses TLS, with the system's authorities unless
// WithTLS names others. It does not connect yet.
func NewClient(target string, options ...Option) (*Client, error) {
	chosen := choose(options)
	if chosen.isPlaintext && chosen.tls != nil {
		return nil, errors.New("giftcard: WithTLS protects a connection, WithPlaintext leaves it open: say one of them")
	}
	if chosen.isPlaintext && chosen.hasToken && !isLocal(target) {
		return nil, errors.New("giftcard: a token on a plaintext connection can be read by all on its way: use TLS")
	}
	protection := credentials.NewTLS(chosen.tls)
	if chosen.isPlaintext {
		protection = insecure.NewCredentials()
	}
	dial := append(DialOptions(), grpc.WithTransportCredentials(protection))
	under, err := grpc.NewClient(target, append(dial, chosen.dial...)...)
	if err != nil {
		return nil, fmt.Errorf("giftcard: %w", err)
	}
	client, err := newClient(under, chosen)
	if err != nil {
		return nil, errors.Join(err, under.Close())
	}
	client.disconnect = under.Close
	return client, nil
}

// NewClientOn makes a client on a connection of your own, which is yours to protect and to close. Make it
// with DialOptions: gRPC takes retries of reads, keepalive and the like only then, and only then a call that
// found no connection is known to have done nothing.
func NewClientOn(under grpc.ClientConnInterface, options ...Option) (*Client, error) {
	chosen := choose(options)
	if chosen.isPlaintext || chosen.tls != nil || chosen.dial != nil {
		return nil, errors.New("giftcard: WithPlaintext, WithTLS and WithDialOptions are for a connection the client makes")
	}
	return newClient(under, chosen)
}

func choose(options []Option) settings {
	var chosen settings
	for _, option := range options {
		option(&chosen)
	}
	return chosen
}

func newClient(under grpc.ClientConnInterface, chosen settings) (*Client, error) {
	policy, err := chosen.policy.withDefaults()
	if err != nil {
		return nil, err
	}
	ruled := &conn{under: under, sources: chosen.sources, policy: policy}
	return &Client{
		GiftCardServiceClient:    giftcardv1.NewGiftCardServiceClient(ruled),
		TransactionServiceClient: giftcardv1.NewTransactionServiceClient(ruled),
		StoredCardServiceClient:  giftcardv1.NewStoredCardServiceClient(ruled),
		CatalogServiceClient:     giftcardv1.NewCatalogServiceClient(ruled),
		ReportServiceClient:      giftcardv1.NewReportServiceClient(ruled),
		EventServiceClient:       giftcardv1.NewEventServiceClient(ruled),
		ProviderServiceClient:    giftcardv1.NewProviderServiceClient(ruled),
		conn:                     ruled,
		disconnect:               func() error { return nil },
	}, nil
}

// Close ends the client. Calls under way end too; what they left open the gateway ends at confirm_by.
func (c *Client) Close() error {
	if c.conn.isClosed.Swap(true) {
		return nil
	}
	return c.disconnect()
}

// serviceConfig is the contract's own.
//
//go:embed v1/grpc_service_config.json
var serviceConfig string

// DialOptions are gRPC's options that NewClient uses: the contract's service config with the timeouts and
// retries of reads, keepalive, quick reconnecting, the user agent, and what tells whether a call that failed was
// sent at all. They say nothing of how it is protected.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithUserAgent("giftcard-go/" + Version),
		grpc.WithStatsHandler(trips{}),
		// The gateway takes pings every 10 s; half a minute outlives the idle limits of the usual balancers.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		// A gateway that restarts is back in seconds: look for it sooner than gRPC's default of up to two minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay:  200 * time.Millisecond,
				Multiplier: backoff.DefaultConfig.Multiplier,
				Jitter:     backoff.DefaultConfig.Jitter,
				MaxDelay:   5 * time.Second,
			},
			MinConnectTimeout: 20 * time.Second,
		}),
	}
}

// isLocal tells whether a target is on this machine, so that nobody reads along.
func isLocal(target string) bool {
	if strings.HasPrefix(target, "unix:") || strings.HasPrefix(target, "unix-abstract:") {
		return true
	}
	host, _, err := net.SplitHostPort(target[strings.LastIndex(target, "/")+1:])
	if err != nil {
		return false
	}
	address := net.ParseIP(host)
	return host == "localhost" || address != nil && address.IsLoopback()
}
