package giftcard

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

// play reads a file of vectors and plays each of its cases under its name. The module alone, outside its
// repository, does not hold them.
func play[Case any](t *testing.T, file string, run func(*testing.T, Case)) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "vectors", file))
	if _, outside := os.Stat(filepath.Join("..", "..", "protos")); os.IsNotExist(outside) {
		t.Skip("the vectors are in the repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct{ Cases []json.RawMessage }
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors.Cases) == 0 {
		t.Fatal("no case")
	}
	for _, raw := range vectors.Cases {
		var named struct{ Name string }
		var one Case
		if err := errors.Join(json.Unmarshal(raw, &named), json.Unmarshal(raw, &one)); err != nil {
			t.Fatal(err)
		}
		t.Run(named.Name, func(t *testing.T) { run(t, one) })
	}
}

// Money is made and written exactly, or refused.
func TestMoneyVectors(t *testing.T) {
	type vector struct {
		From, Amount, Currency, Units, Text string
		Nanos                               int32
		Bad                                 bool
	}
	play(t, "money.json", func(t *testing.T, one vector) {
		units, err := strconv.ParseInt(one.Units, 10, 64)
		if err != nil && !one.Bad {
			t.Fatal(err)
		}
		expected := &money.Money{CurrencyCode: one.Currency, Units: units, Nanos: one.Nanos}
		if one.From == "money" {
			if text := FormatMoney(expected); text != one.Text {
				t.Errorf("%s, not %s", text, one.Text)
			}
			return
		}
		made, err := makeMoney(one.From, one.Amount, one.Currency)
		if one.Bad {
			if err == nil {
				t.Errorf("taken as %v", made)
			}
		} else if err != nil || !proto.Equal(made, expected) {
			t.Errorf("%v, %v, not %v", made, err, expected)
		}
	})
}

func makeMoney(from, amount, currency string) (*money.Money, error) {
	if from == "text" {
		return ParseMoney(amount, currency)
	}
	minor, err := strconv.ParseInt(amount, 10, 64)
	return MinorMoney(minor, currency), err
}

// The questions about a state are answered alike in every language; an unknown state is pending.
func TestStateVectors(t *testing.T) {
	type vector struct {
		State       giftcardv1.TransactionState
		IsApproved  bool `json:"is_approved"`
		IsDeclined  bool `json:"is_declined"`
		IsConfirmed bool `json:"is_confirmed"`
		IsReversed  bool `json:"is_reversed"`
		IsPending   bool `json:"is_pending"`
		IsFinal     bool `json:"is_final"`
		NeedsPerson bool `json:"needs_person"`
	}
	play(t, "states.json", func(t *testing.T, one vector) {
		it := &giftcardv1.Transaction{State: one.State}
		found := vector{
			one.State, IsApproved(it), IsDeclined(it), IsConfirmed(it), IsReversed(it), IsPending(it), IsFinal(it),
			NeedsPerson(it),
		}
		if found != one {
			t.Errorf("%+v, not %+v", found, one)
		}
	})
}

// What follows a failed attempt is the same in every language.
func TestDecisionVectors(t *testing.T) {
	type vector struct {
		Call, Reason string
		Code         codes.Code
		IsLast       bool   `json:"is_last"`
		WasOpen      bool   `json:"was_open"`
		Do           action `json:"do"`
	}
	play(t, "decisions.json", func(t *testing.T, one vector) {
		told := status.New(one.Code, "")
		if one.Reason != "" {
			var err error
			if told, err = told.WithDetails(&errdetails.ErrorInfo{Domain: Domain, Reason: one.Reason}); err != nil {
				t.Fatal(err)
			}
		}
		failure := readStatus(told, About{Call: one.Call, Phase: PhaseOf(one.Call)})
		failure.IsOutcomeOpen = failure.IsOutcomeOpen || one.WasOpen
		if done := decide(failure, one.IsLast); done != one.Do {
			t.Errorf("%s, not %s", done, one.Do)
		}
	})
}

type errorVector struct {
	Call          string
	TransactionID string `json:"transaction_id"`
	Code          codes.Code
	Message       string
	Details       []byte
	Expect        struct {
		Kind, Code, Reason string
		Metadata           map[string]string
		Violations         []Violation
		RetryAfterMS       *int64 `json:"retry_after_ms"`
		RequestID          string `json:"request_id"`
		IsOutcomeOpen      bool   `json:"is_outcome_open"`
		NextStep           string `json:"next_step"`
	}
	NeverPrinted []string `json:"never_printed"`
}

// A failed call, as gRPC carries it, tells the same facts in every language, and prints no card number.
func TestErrorVectors(t *testing.T) {
	refuser := newRefuser(t)
	play(t, "errors.json", func(t *testing.T, one errorVector) {
		request := newRequest(t, one.Call, one.TransactionID)
		refuser.refuse(one.Code, one.Message, one.Details)
		var failure *CallError
		if !errors.As(ReadError(refuser.call(request), request), &failure) {
			t.Fatal("no CallError")
		}
		expect := one.Expect
		var retryAfter time.Duration
		if expect.RetryAfterMS != nil {
			retryAfter = time.Duration(*expect.RetryAfterMS) * time.Millisecond
		}
		found := []any{
			failure.Call, failure.TransactionID, failure.Kind, code.Code(failure.Code).String(), failure.Reason,
			failure.RetryAfter, failure.RequestID, failure.IsOutcomeOpen, failure.NextStep(),
		}
		expected := []any{
			one.Call, one.TransactionID, Kind(expect.Kind), expect.Code, expect.Reason,
			retryAfter, expect.RequestID, expect.IsOutcomeOpen, expect.NextStep,
		}
		if fmt.Sprintf("%q", found) != fmt.Sprintf("%q", expected) {
			t.Errorf("%q, not %q", found, expected)
		}
		if fmt.Sprint(failure.Metadata, failure.Violations) != fmt.Sprint(expect.Metadata, expect.Violations) {
			t.Errorf("%v %v, not %v %v", failure.Metadata, failure.Violations, expect.Metadata, expect.Violations)
		}
		never(t, one.NeverPrinted, fmt.Sprintf("%v %+v %#v %q %s", failure, failure, failure, failure, failure.Message))
	})
}

// newRequest makes the request of a call, with its transaction id where it has one.
func newRequest(t *testing.T, call, transactionID string) proto.Message {
	t.Helper()
	request, err := newMessage(call + "Request")
	if err != nil {
		t.Fatal(err)
	}
	if field := request.ProtoReflect().Descriptor().Fields().ByName("transaction_id"); field != nil {
		request.ProtoReflect().Set(field, protoreflect.ValueOfString(transactionID))
	} else if transactionID != "" {
		t.Fatalf("%s has no transaction id", call)
	}
	return request
}

func never(t *testing.T, secrets []string, printed string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(printed, secret) {
			t.Errorf("a secret of %d characters is shown", len(secret))
		}
	}
}

// Messages of this and of a later contract are read, and no way of printing them shows a secret.
func TestMessageVectors(t *testing.T) {
	type vector struct {
		Type           protoreflect.FullName
		JSON           json.RawMessage `json:"json"`
		Bytes          []byte
		Extra          string
		Secrets, Shown []string
		Unknown        *struct {
			Path   []protoreflect.Name
			Number protoreflect.EnumNumber
		}
	}
	play(t, "messages.json", func(t *testing.T, one vector) {
		kind, err := protoregistry.GlobalTypes.FindMessageByName(one.Type)
		if err != nil {
			t.Fatal(err)
		}
		read, same := kind.New().Interface(), kind.New().Interface()
		if err := errors.Join(proto.Unmarshal(one.Bytes, read), protojson.Unmarshal(one.JSON, same)); err != nil {
			t.Fatal(err)
		}
		extra, err := hex.DecodeString(one.Extra)
		if err != nil {
			t.Fatal(err)
		}
		same.ProtoReflect().SetUnknown(extra)
		if !proto.Equal(read, same) {
			t.Error("the bytes and the JSON mean different things")
		}
		if again, err := proto.Marshal(read); err != nil || len(again) != len(one.Bytes) {
			t.Errorf("%d bytes become %d, %v", len(one.Bytes), len(again), err)
		}
		never(t, one.Secrets, printings(t, read))
		for _, secret := range one.Secrets {
			if !strings.Contains(protojson.Format(read), secret) {
				t.Error("a secret is not in the message")
			}
		}
		for _, shown := range one.Shown {
			if !strings.Contains(Redacted(read), shown) {
				t.Errorf("%s is not shown in %v", shown, read)
			}
		}
		if one.Unknown != nil {
			if number := numberAt(read.ProtoReflect(), one.Unknown.Path); number != one.Unknown.Number {
				t.Errorf("%d, not %d", number, one.Unknown.Number)
			}
		}
	})
}

// numberAt reads the number of an enum by the names of the fields on the way to it.
func numberAt(message protoreflect.Message, path []protoreflect.Name) protoreflect.EnumNumber {
	value := message.Get(message.Descriptor().Fields().ByName(path[0]))
	if len(path) == 1 {
		return value.Enum()
	}
	return numberAt(value.Message(), path[1:])
}

// A field of a later contract may hold a secret, so that none of it is printed.
func TestUnknownFieldsAreNotPrinted(t *testing.T) {
	message := &giftcardv1.Transaction{TransactionId: "t"}
	extra := protowire.AppendTag(nil, 999, protowire.BytesType)
	message.ProtoReflect().SetUnknown(protowire.AppendString(extra, "6045000000000061"))
	never(t, []string{"6045000000000061", base64.StdEncoding.EncodeToString([]byte("6045000000000061"))},
		printings(t, message))
}
