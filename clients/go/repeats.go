package giftcard

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// RepeatPolicy says how long a money call may take, and how it is repeated. What is left zero is as told.
//
// Repeating is safe because it is always the same request with the same transaction id: the gateway moves the
// money of one id once, however often it is asked. Nothing is repeated that the gateway refused.
type RepeatPolicy struct {
	// Deadline is the whole of one call: all attempts, all pauses, and finding out how a lost one ended; 40 s.
	// A context with a sooner deadline ends it sooner. The last quarter of an ask is kept for looking it up.
	Deadline time.Duration
	// Attempts is how often a call is made at most; 8.
	Attempts int
	// FirstPause bounds the first pause, each next one twice as much: a pause is a random part of its bound,
	// so that many callers do not come back at once, on top of what the gateway's RetryInfo says; 100 ms.
	FirstPause time.Duration
	// LongestPause bounds every pause, RetryInfo left out; 5 s.
	LongestPause time.Duration
}

func (p RepeatPolicy) withDefaults() (RepeatPolicy, error) {
	if p.Deadline < 0 || p.Attempts < 0 || p.FirstPause < 0 || p.LongestPause < 0 {
		return p, errors.New("giftcard: a RepeatPolicy counts from zero, which stands for the default")
	}
	usual := RepeatPolicy{40 * time.Second, 8, 100 * time.Millisecond, 5 * time.Second}
	if p.Deadline == 0 {
		p.Deadline = usual.Deadline
	}
	if p.Attempts == 0 {
		p.Attempts = usual.Attempts
	}
	if p.FirstPause == 0 {
		p.FirstPause = usual.FirstPause
	}
	if p.LongestPause == 0 {
		p.LongestPause = usual.LongestPause
	}
	return p, nil
}

// pauseAfter says how long to wait after an attempt, counted from 0, that ended with an error.
func (p RepeatPolicy) pauseAfter(attempt int, err *CallError) time.Duration {
	bound := p.FirstPause
	for range attempt {
		if bound >= p.LongestPause {
			break
		}
		bound *= 2
	}
	return max(0, err.RetryAfter) + rand.N(min(bound, p.LongestPause)+1)
}

// end says when a call that begins now has to end.
func (p RepeatPolicy) end(ctx context.Context) time.Time {
	end := time.Now().Add(p.Deadline)
	if sooner, ok := ctx.Deadline(); ok && sooner.Before(end) {
		return sooner
	}
	return end
}

// action is what is done about a failed attempt.
type action string

const (
	repeat action = "repeat"
	lookUp action = "look_up"
	raise  action = "raise"
)

// decide says what to do about a failed attempt; isLast tells that attempts or time are used up.
func decide(err *CallError, isLast bool) action {
	switch {
	case !isLast && isRepeatable(err):
		return repeat
	case err.Phase == Asked && err.IsOutcomeOpen:
		return lookUp
	default:
		return raise
	}
}

// isRepeatable tells whether a call may be made again with the same request. What leaves an ask open without
// a word from the connection is not asked again but looked up, so that a till hears of it in time.
func isRepeatable(err *CallError) bool {
	switch err.Phase {
	case Asked:
		return err.Kind == Unavailable || err.Kind == Throttled && err.Reason != ""
	case Confirming, Reversing:
		return err.Kind == Unavailable || err.Kind == Throttled || err.Kind == NoAnswer || err.Kind == CallNotSent
	default:
		return false
	}
}

// wait waits; it returns early, with why, if the context ends.
func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
