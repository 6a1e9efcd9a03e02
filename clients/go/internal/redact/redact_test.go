package redact_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"

	giftcard "giftcardgateway.example/giftcard-go"
	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

const secret = "6045000000000061"

// Every field that the contract marks is kept out of the text of its message, which says that it was set.
func TestEveryMarkedFieldIsRedacted(t *testing.T) {
	found := 0
	protoregistry.GlobalTypes.RangeMessages(func(kind protoreflect.MessageType) bool {
		fields := kind.Descriptor().Fields()
		for i := range fields.Len() {
			options, _ := fields.Get(i).Options().(*descriptorpb.FieldOptions)
			if kind.Descriptor().ParentFile().Package() != "giftcard.v1" || !options.GetDebugRedact() {
				continue
			}
			found++
			message := kind.New()
			message.Set(fields.Get(i), protoreflect.ValueOfString(secret))
			text := fmt.Sprint(message.Interface())
			if strings.Contains(text, secret) || !strings.Contains(text, "[REDACTED]") {
				t.Errorf("%s: %s", fields.Get(i).FullName(), text)
			}
			if _, err := json.Marshal(message.Interface()); err == nil {
				t.Errorf("%s is encoded", fields.Get(i).FullName())
			}
		}
		return true
	})
	if found < 13 {
		t.Errorf("only %d fields are marked", found)
	}
}

// Printing a message leaves the message as it was.
func TestPrintingChangesNothing(t *testing.T) {
	message := &giftcardv1.CardNumber{Pan: secret}
	_ = message.String()
	if message.GetPan() != secret {
		t.Error("the number is gone")
	}
}

// A message packed into another is redacted too; one of a kind nobody knows is not shown at all.
func TestPackedMessagesAreRedacted(t *testing.T) {
	known, err := anypb.New(&giftcardv1.CardNumber{Pan: secret, Expiry: "4912"})
	if err != nil {
		t.Fatal(err)
	}
	unknown := &anypb.Any{TypeUrl: "type.googleapis.com/giftcard.v1.MadeTomorrow", Value: known.GetValue()}
	holder := &giftcardv1.BatchBalanceItem{
		Result: &giftcardv1.BatchBalanceItem_Error{
			Error: &rpcstatus.Status{Details: []*anypb.Any{known, unknown}},
		},
	}
	text := holder.String()
	if strings.Contains(text, secret) || !strings.Contains(text, "4912") || !strings.Contains(text, "MadeTomorrow") {
		t.Error(text)
	}
}

// Messages in a map are redacted too, and so are messages that have no code of their own.
func TestMapsAreRedacted(t *testing.T) {
	text := descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()
	message := descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
	one, many := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("wallet.proto"), Syntax: proto.String("proto3"), Dependency: []string{"giftcard/v1/card.proto"},
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("Wallet"),
			Field: []*descriptorpb.FieldDescriptorProto{{
				Name: proto.String("cards"), Number: proto.Int32(1), Label: many, Type: message,
				TypeName: proto.String(".Wallet.CardsEntry"),
			}},
			NestedType: []*descriptorpb.DescriptorProto{{
				Name: proto.String("CardsEntry"), Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
				Field: []*descriptorpb.FieldDescriptorProto{
					{Name: proto.String("key"), Number: proto.Int32(1), Label: one, Type: text},
					{
						Name: proto.String("value"), Number: proto.Int32(2), Label: one, Type: message,
						TypeName: proto.String(".giftcard.v1.CardNumber"),
					},
				},
			}},
		}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	wallet := dynamicpb.NewMessage(file.Messages().Get(0))
	if err := protojson.Unmarshal([]byte(`{"cards": {"first": {"pan": "`+secret+`"}}}`), wallet); err != nil {
		t.Fatal(err)
	}
	if shown := giftcard.Redacted(wallet); strings.Contains(shown, secret) || !strings.Contains(shown, "first") {
		t.Error(shown)
	}
}

// A message that is not there prints as such.
func TestNothingIsPrinted(t *testing.T) {
	var nothing *giftcardv1.Card
	if text := fmt.Sprintf("%v %s", nothing, nothing.String()); text != "<nil> <nil>" {
		t.Error(text)
	}
}

// encoding/json writes and reads what holds no secret as protojson does, so that it comes back as it was.
func TestJSONComesBack(t *testing.T) {
	message := &giftcardv1.Transaction{
		TransactionId: "t",
		State:         giftcardv1.TransactionState_TRANSACTION_STATE_APPROVED,
		Labels:        map[string]string{"order": "4711"},
	}
	text, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	again := &giftcardv1.Transaction{}
	if err := json.Unmarshal(text, again); err != nil || !proto.Equal(message, again) {
		t.Error(string(text), err)
	}
}
