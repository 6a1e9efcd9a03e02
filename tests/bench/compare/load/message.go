package main

import (
	"bytes"
	"crypto/rand"
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// placeholder is where an id belongs in a prepared request.
const placeholder = "00000000-0000-4000-8000-000000000000"

// good is the kind of an answer with nothing wrong.
const good = "OK"

// bytesAsTheyAre hands messages to gRPC as they are, and back.
type bytesAsTheyAre struct{}

func (bytesAsTheyAre) Name() string { return "proto" }

func (bytesAsTheyAre) Marshal(message any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*message.(*[]byte))}, nil
}

func (bytesAsTheyAre) Unmarshal(data mem.BufferSlice, message any) error {
	*message.(*[]byte) = data.Materialize()
	return nil
}

// request is one caller's copy of the prepared request.
type request struct {
	prepared []byte
	at       int // where its id is; -1 if it has none
}

func newRequest(prepared []byte) *request {
	return &request{bytes.Clone(prepared), bytes.Index(prepared, []byte(placeholder))}
}

// with returns the request with this id. gRPC may hold the bytes for longer than a call, so they are new ones.
func (r *request) with(id string) []byte {
	sent := bytes.Clone(r.prepared)
	if r.at >= 0 {
		copy(sent[r.at:], id)
	}
	return sent
}

// newID returns a random UUID, version 4.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: see its documentation
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// judged tells whether an answer is what was hoped for: its first field a transaction of ours in the right state.
func judged(answer []byte, id string, s settings) string {
	_, first, err := field(answer, 1)
	switch {
	case err != nil:
		return "NO_MESSAGE"
	case len(first) == 0:
		return "EMPTY"
	case s.state == 0:
		return good
	}
	_, told, err := field(first, 1)
	if err != nil || s.isOurs && string(told) != id {
		return "NOT_OUR_ID"
	}
	if state, _, err := field(first, 4); err != nil || state != uint64(s.state) {
		return fmt.Sprint("STATE_", state)
	}
	return good
}

// field returns a message's first field of this number: a varint, or bytes.
func field(message []byte, wanted protowire.Number) (uint64, []byte, error) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return 0, nil, protowire.ParseError(n)
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(number, kind, message)
		if size < 0 {
			return 0, nil, protowire.ParseError(size)
		}
		if number == wanted {
			switch kind {
			case protowire.VarintType:
				value, _ := protowire.ConsumeVarint(message)
				return value, nil, nil
			case protowire.BytesType:
				value, _ := protowire.ConsumeBytes(message)
				return 0, value, nil
			}
		}
		message = message[size:]
	}
	return 0, nil, nil
}
