package giftcard

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

// An ask that was not served is asked again, with the same request.
func TestAsksAreRepeated(t *testing.T) {
	during(t, []any{cut, full, approved}, func(t *testing.T, client *Client, script *script) {
		answer, err := client.Redeem(t.Context(), redeem)
		if err != nil || !IsApproved(answer.GetTransaction()) {
			t.Error(answer, err)
		}
		expectCalls(t, script, "Redeem Redeem Redeem")
		for _, each := range script.attempts {
			if !proto.Equal(each.request, redeem) {
				t.Errorf("%v was asked", each.request)
			}
		}
	})
}

// A pause is never shorter than the gateway's RetryInfo, and above it grows at most to its bound.
func TestPausesKeepTheirBounds(t *testing.T) {
	busy := refused(codes.ResourceExhausted, "RATE_LIMITED", 2*time.Second)
	during(t, []any{busy, busy, busy, cut, cut, approved}, func(t *testing.T, client *Client, script *script) {
		if _, err := client.Redeem(t.Context(), redeem); err != nil {
			t.Fatal(err)
		}
		for i, least := range []time.Duration{2, 2, 2, 0, 0} {
			pause := script.attempts[i+1].at - script.attempts[i].at
			least *= time.Second
			most := least + 100*time.Millisecond<<i
			if pause < least || pause > most {
				t.Errorf("pause %d took %s, not %s to %s", i, pause, least, most)
			}
		}
	})
}

// A pause doubles its bound up to the longest, however often it is repeated.
func TestPausesDoNotOverflow(t *testing.T) {
	policy, err := RepeatPolicy{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for attempt := range 100 {
		if pause := policy.pauseAfter(attempt, &CallError{}); pause < 0 || pause > 5*time.Second {
			t.Fatalf("%s after %d attempts", pause, attempt)
		}
	}
}

// A lost ask is looked up within its time, 40 s unless the policy or the context says otherwise; the gateway is let wait
// for the outcome, as long as it can.
func TestLostAsksAreLookedUp(t *testing.T) {
	for name, one := range map[string]struct{ policy, context, asking, finding, wait time.Duration }{
		"by default":             {0, time.Hour, 30 * time.Second, 10 * time.Second, 9 * time.Second},
		"with a longer policy":   {400 * time.Second, time.Hour, 300 * time.Second, 100 * time.Second, 60 * time.Second},
		"with a sooner context":  {0, 20 * time.Second, 15 * time.Second, 5 * time.Second, 4 * time.Second},
		"without time for waits": {4 * time.Second, time.Hour, 3 * time.Second, time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			during(t, []any{silence{}, approved}, func(t *testing.T, client *Client, script *script) {
				ctx, cancel := context.WithTimeout(t.Context(), one.context)
				defer cancel()
				answer, err := client.Redeem(ctx, redeem)
				if err != nil || !IsApproved(answer.GetTransaction()) {
					t.Fatal(answer, err)
				}
				expectCalls(t, script, "Redeem GetTransaction")
				asked, found := script.attempts[0], script.attempts[1]
				if asked.left != one.asking || found.left != one.finding {
					t.Errorf("asked for %s, looked up for %s", asked.left, found.left)
				}
				looked := found.request.(*giftcardv1.GetTransactionRequest)
				if looked.GetTransactionId() != transactionID || looked.GetWait().AsDuration() != one.wait {
					t.Error(looked)
				}
			}, WithRepeats(RepeatPolicy{Deadline: one.policy}))
		})
	}
}

// What the gateway does not know of, or does not tell in time, stays open, and the call ends within its deadline.
func TestWhatStaysLostIsTold(t *testing.T) {
	for name, answers := range map[string][]any{"unknown": {timeout, unknown}, "silent": {silence{}}} {
		t.Run(name, func(t *testing.T) {
			during(t, answers, func(t *testing.T, client *Client, script *script) {
				_, err := client.Redeem(t.Context(), redeem)
				failure := callError(t, err)
				if !failure.IsOutcomeOpen || failure.Kind != NoAnswer || failure.Call != "Redeem" ||
					failure.TransactionID != transactionID || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%+v", failure)
				}
				expectCalls(t, script, "Redeem GetTransaction")
				if took := time.Since(script.begun); took > 40*time.Second {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

// Cards that were issued are masked when they are looked up; the same request again shows them.
func TestIssuedCardsAreAskedForAgain(t *testing.T) {
	during(t, []any{timeout, issuedMasked, issued}, func(t *testing.T, client *Client, script *script) {
		answer, err := client.Issue(t.Context(), &giftcardv1.IssueRequest{TransactionId: transactionID})
		if err != nil || answer.GetTransaction().GetIssuedCards()[0].GetNumber() != "n" {
			t.Error(answer, err)
		}
		expectCalls(t, script, "Issue GetTransaction Issue")
	})
}

// What an earlier attempt left open stays open, however surely the last one was not sent; so it is looked up.
func TestOpenStaysOpen(t *testing.T) {
	refusal := refused(codes.FailedPrecondition, "STATE_CONFLICT", 0)
	during(t, []any{cut, refusal, unknown}, func(t *testing.T, client *Client, script *script) {
		_, err := client.Redeem(t.Context(), redeem)
		if failure := callError(t, err); !failure.IsOutcomeOpen || failure.Kind != Conflict {
			t.Errorf("%+v", failure)
		}
		expectCalls(t, script, "Redeem Redeem GetTransaction")
	})
}

// What the gateway refused is neither repeated nor looked up.
func TestRefusalsAreRaised(t *testing.T) {
	during(t, []any{refused(codes.InvalidArgument, "FIELD_INVALID", 0)}, func(t *testing.T, client *Client, script *script) {
		_, err := client.Redeem(t.Context(), redeem)
		if failure := callError(t, err); failure.IsOutcomeOpen || status.Code(err) != codes.InvalidArgument {
			t.Errorf("%+v", failure)
		}
		expectCalls(t, script, "Redeem")
	})
}

// Confirmations and reversals are repeated after every lost answer.
func TestAdvicesAreRepeatedUntilPromised(t *testing.T) {
	answers := []any{timeout, cut, refused(codes.Internal, "INTERNAL", 0), approved}
	during(t, answers, func(t *testing.T, client *Client, script *script) {
		_, err := client.ConfirmRedeem(t.Context(), confirm)
		expectCalls(t, script, "ConfirmRedeem ConfirmRedeem ConfirmRedeem ConfirmRedeem")
		if err != nil {
			t.Error(err)
		}
	})
	during(t, answers, func(t *testing.T, client *Client, script *script) {
		_, err := client.ReverseRedeem(t.Context(), reverse)
		expectCalls(t, script, "ReverseRedeem ReverseRedeem ReverseRedeem ReverseRedeem")
		if err != nil {
			t.Error(err)
		}
	})
}

// A confirmation that fails does not look like a call that failed: the goods may be gone.
func TestAFailedConfirmationIsItsOwnError(t *testing.T) {
	during(t, []any{timeout}, func(t *testing.T, client *Client, script *script) {
		_, err := client.ConfirmRedeem(t.Context(), confirm)
		var failed *ConfirmationFailed
		if !errors.As(err, &failed) || failed.TransactionID() != transactionID || len(script.attempts) != 8 {
			t.Fatal(err, script.calls())
		}
		if failed.NextStep() != repeatConfirmation || !strings.Contains(err.Error(), repeatConfirmation) {
			t.Error(failed)
		}
		if errors.As(err, new(*CallError)) {
			t.Error("errors.As finds a CallError")
		}
	})
	during(t, []any{refused(codes.FailedPrecondition, "TRANSACTION_REVERSED", 0)}, func(t *testing.T, client *Client, _ *script) {
		_, err := client.ConfirmRedeem(t.Context(), confirm)
		var failed *ConfirmationFailed
		if !errors.As(err, &failed) || failed.NextStep() != readAfterConfirmation {
			t.Error(err)
		}
	})
}

// The sooner of the policy's deadline and the context's ends a call, pauses included.
func TestTheSoonerDeadlineEndsACall(t *testing.T) {
	slow := refused(codes.Unavailable, "OVERLOADED", 3*time.Second)
	for name, deadlines := range map[string][2]time.Duration{"policy": {8, 60}, "context": {60, 8}} {
		t.Run(name, func(t *testing.T) {
			during(t, []any{slow}, func(t *testing.T, client *Client, script *script) {
				ctx, cancel := context.WithTimeout(t.Context(), deadlines[1]*time.Second)
				defer cancel()
				_, err := client.ReverseRedeem(ctx, reverse)
				if callError(t, err).RetryAfter != 3*time.Second {
					t.Error(err)
				}
				expectCalls(t, script, "ReverseRedeem ReverseRedeem ReverseRedeem")
			}, WithRepeats(RepeatPolicy{Deadline: deadlines[0] * time.Second}))
		})
	}
}

// A cancelled context ends a pause at once, and the error says so.
func TestCancellingEndsAPause(t *testing.T) {
	slow := refused(codes.Unavailable, "OVERLOADED", 10*time.Second)
	during(t, []any{slow}, func(t *testing.T, client *Client, script *script) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := client.Redeem(ctx, redeem)
		if !errors.Is(err, context.Canceled) || callError(t, err).Reason != "OVERLOADED" || time.Since(script.begun) != time.Second {
			t.Error(err, time.Since(script.begun))
		}
	})
}

// Reads are left to gRPC, which repeats them as the service config says; other changes are never repeated.
func TestOthersAreMadeOnce(t *testing.T) {
	during(t, []any{cut}, func(t *testing.T, client *Client, script *script) {
		_, reading := client.Balance(t.Context(), &giftcardv1.BalanceRequest{})
		_, changing := client.StoreCard(t.Context(), &giftcardv1.StoreCardRequest{})
		expectCalls(t, script, "Balance StoreCard")
		if callError(t, reading).Phase != Reading || callError(t, changing).Phase != Changing {
			t.Error(reading, changing)
		}
		if script.attempts[0].left != 0 || script.attempts[1].left != 40*time.Second {
			t.Error(script.attempts)
		}
	})
}

// The rules hold for all seven operations: each call of the contract has its phase.
func TestEveryCallHasItsPhase(t *testing.T) {
	found := map[Phase][]string{}
	for call, phase := range phases() {
		found[phase] = append(found[phase], call)
	}
	slices.Sort(found[Asked])
	if asked := strings.Join(found[Asked], " "); asked != "Activate Issue Load Redeem Replace Transfer Void" {
		t.Error(asked)
	}
	for _, call := range found[Asked] {
		if PhaseOf("Confirm"+call) != Confirming || PhaseOf("Reverse"+call) != Reversing {
			t.Error(call)
		}
	}
	if len(found[Confirming]) != 7 || len(found[Reversing]) != 7 || len(found[UnknownPhase]) != 0 {
		t.Error(found)
	}
}

// The token and the metadata are asked for before every attempt, and join what the context has.
func TestSourcesAreAskedBeforeEveryAttempt(t *testing.T) {
	asked := 0
	token := func(context.Context) (string, error) {
		asked++
		return strings.Repeat("t", asked), nil
	}
	user := func(context.Context) (metadata.MD, error) { return metadata.Pairs("giftcard-end-user", "7"), nil }
	during(t, []any{cut, approved}, func(t *testing.T, client *Client, script *script) {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "mine", "m")
		if _, err := client.Redeem(ctx, redeem); err != nil {
			t.Fatal(err)
		}
		for i, each := range script.attempts {
			sent := []string{each.sent.Get("authorization")[0], each.sent.Get("giftcard-end-user")[0], each.sent.Get("mine")[0]}
			if !slices.Equal(sent, []string{"Bearer " + strings.Repeat("t", i+1), "7", "m"}) {
				t.Error(sent)
			}
		}
	}, WithToken(token), WithMetadata(user))
}

// When a source fails, nothing is sent: an ask says so, a confirmation is tried again.
func TestAFailingSourceSendsNothing(t *testing.T) {
	fault := errors.New("no token today")
	asked := 0
	source := func(context.Context) (string, error) {
		if asked++; asked <= 2 {
			return "", fault
		}
		return "t", nil
	}
	during(t, []any{approved}, func(t *testing.T, client *Client, script *script) {
		_, err := client.Redeem(t.Context(), redeem)
		failure := callError(t, err)
		if failure.Kind != CallNotSent || failure.IsOutcomeOpen || !errors.Is(err, fault) || failure.NextStep() != afterNotSent {
			t.Errorf("%+v", failure)
		}
		expectCalls(t, script, "")
		// The second attempt finds it mended.
		if _, err := client.ConfirmRedeem(t.Context(), confirm); err != nil {
			t.Error(err)
		}
		expectCalls(t, script, "ConfirmRedeem")
	}, WithToken(source))
}

// A client that is closed sends nothing, streams included, and says so.
func TestAClosedClientSendsNothing(t *testing.T) {
	during(t, []any{approved}, func(t *testing.T, client *Client, script *script) {
		if err := errors.Join(client.Close(), client.Close()); err != nil {
			t.Fatal(err)
		}
		_, asking := client.Redeem(t.Context(), redeem)
		_, streaming := client.WatchTransactions(t.Context(), &giftcardv1.WatchTransactionsRequest{})
		for _, err := range []error{asking, streaming} {
			if failure := callError(t, err); failure.Kind != Closed || failure.NextStep() != afterClosed {
				t.Errorf("%+v", failure)
			}
		}
		expectCalls(t, script, "")
	})
}

// The errors of a stream are read like all others.
func TestStreamsHaveTheSameErrors(t *testing.T) {
	during(t, []any{full}, func(t *testing.T, client *Client, _ *script) {
		_, err := client.WatchTransactions(t.Context(), &giftcardv1.WatchTransactionsRequest{})
		if failure := callError(t, err); failure.Kind != Unavailable || failure.Call != "WatchTransactions" {
			t.Errorf("%+v", failure)
		}
	})
}

// What is no status is read too; the end of a stream, and errors of this package, stay as they are.
func TestAnyErrorCanBeRead(t *testing.T) {
	if err := ReadError(context.Canceled, redeem); !errors.Is(err, context.Canceled) || callError(t, err).Kind != NoAnswer {
		t.Error(err)
	}
	if err := ReadError(errSeldom, redeem); callError(t, err).Code != codes.Unknown || !callError(t, err).IsOutcomeOpen {
		t.Error(err)
	}
	for _, err := range []error{nil, io.EOF, &ConfirmationFailed{Failure: &CallError{}}, &CallError{}} {
		if ReadError(err, redeem) != err {
			t.Error(err)
		}
	}
}

// A policy that counts below zero is refused.
func TestAPolicyBelowZeroIsRefused(t *testing.T) {
	if _, err := NewClientOn(&script{}, WithRepeats(RepeatPolicy{Attempts: -1})); err == nil {
		t.Error("taken")
	}
}
