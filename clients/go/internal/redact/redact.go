// Package redact prints messages without their secrets: the fields that the contract marks debug_redact.
//
// What is secret is read off the descriptor, so it holds for messages of a newer contract too.
package redact

import (
	"fmt"
	"log/slog"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
)

const masked = "[REDACTED]"

// String is the message on one line. Fields that these stubs do not know are left out: they may be secret.
func String(message proto.Message) string {
	if !message.ProtoReflect().IsValid() {
		return "<nil>"
	}
	shown := proto.Clone(message)
	mask(shown.ProtoReflect())
	return prototext.MarshalOptions{}.Format(shown)
}

// Format writes the message for any verb.
func Format(message proto.Message, state fmt.State) {
	// A printer has nobody to tell that its writing failed.
	_, _ = state.Write([]byte(String(message)))
}

// LogValue is the message as slog may show it.
func LogValue(message proto.Message) slog.Value {
	return slog.StringValue(String(message))
}

// MarshalJSON encodes as protojson does. It refuses a message that holds a secret: loggers encode what they
// are given, and replacing the secret would spoil what is kept to be sent.
func MarshalJSON(message proto.Message) ([]byte, error) {
	if mask(proto.Clone(message).ProtoReflect()) {
		return nil, fmt.Errorf("%s holds a secret of a card: show it with String, or send it with protojson",
			message.ProtoReflect().Descriptor().FullName())
	}
	return protojson.Marshal(message)
}

// UnmarshalJSON decodes as protojson does.
func UnmarshalJSON(message proto.Message, text []byte) error {
	return protojson.Unmarshal(text, message)
}

// mask takes the secrets out of a message and tells whether there was one.
func mask(message protoreflect.Message) (found bool) {
	message.SetUnknown(nil)
	if packed, ok := message.Interface().(*anypb.Any); ok {
		return maskPacked(packed)
	}
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		found = maskField(message, field, value) || found
		return true
	})
	return found
}

// maskField takes the secrets out of one field that is set.
func maskField(message protoreflect.Message, field protoreflect.FieldDescriptor, value protoreflect.Value) (found bool) {
	switch {
	case isSecret(field):
		cover(message, field)
		return true
	case field.IsMap() && field.MapValue().Message() != nil:
		value.Map().Range(func(_ protoreflect.MapKey, item protoreflect.Value) bool {
			found = mask(item.Message()) || found
			return true
		})
	case field.IsList() && field.Message() != nil:
		for i := range value.List().Len() {
			found = mask(value.List().Get(i).Message()) || found
		}
	case field.Message() != nil && !field.IsMap():
		found = mask(value.Message())
	}
	return found
}

// maskPacked takes the secrets out of a packed message; one of a kind nobody knows loses all its content.
func maskPacked(packed *anypb.Any) bool {
	content, err := packed.UnmarshalNew()
	if err != nil {
		packed.Value = nil
		return false
	}
	found := mask(content.ProtoReflect())
	if err := packed.MarshalFrom(content); err != nil {
		packed.Value = nil
	}
	return found
}

// cover puts a sign where a text was, so that one sees that there was one; anything else it leaves out.
func cover(message protoreflect.Message, field protoreflect.FieldDescriptor) {
	switch {
	case field.Cardinality() == protoreflect.Repeated:
		message.Clear(field)
	case field.Kind() == protoreflect.StringKind:
		message.Set(field, protoreflect.ValueOfString(masked))
	case field.Kind() == protoreflect.BytesKind:
		message.Set(field, protoreflect.ValueOfBytes([]byte(masked)))
	default:
		message.Clear(field)
	}
}

func isSecret(field protoreflect.FieldDescriptor) bool {
	options, ok := field.Options().(*descriptorpb.FieldOptions)
	return ok && options.GetDebugRedact()
}
