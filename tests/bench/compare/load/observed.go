package main

import (
	"os"
	"slices"
	"strings"
	"time"
)

// observed is what callers saw: by the kind of answer how long each took, and the ids of the good ones.
type observed struct {
	took  map[string][]time.Duration
	texts map[string]string // the last text of each status
	ids   []string
}

func newObserved() *observed {
	return &observed{took: map[string][]time.Duration{}, texts: map[string]string{}}
}

func (o *observed) add(kind string, took time.Duration, text string) {
	o.took[kind] = append(o.took[kind], took)
	if text != "" {
		o.texts[kind] = text
	}
}

func merged(all []*observed) *observed {
	whole := newObserved()
	for _, one := range all {
		for kind, took := range one.took {
			whole.took[kind] = append(whole.took[kind], took...)
		}
		for kind, text := range one.texts {
			whole.texts[kind] = text
		}
		whole.ids = append(whole.ids, one.ids...)
	}
	return whole
}

func (o *observed) writeIDs(file string) error {
	if file == "" || len(o.ids) == 0 {
		return nil
	}
	out, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = out.WriteString(strings.Join(o.ids, "\n") + "\n")
	return err
}

type summary struct {
	Seconds float64                       `json:"seconds"`
	Kinds   map[string]int                `json:"kinds"`
	MS      map[string]map[string]float64 `json:"ms"`
	Texts   map[string]string             `json:"texts"`
}

func (o *observed) summary(lasted time.Duration) summary {
	s := summary{lasted.Seconds(), map[string]int{}, map[string]map[string]float64{}, o.texts}
	for kind, took := range o.took {
		slices.Sort(took)
		at := func(share float64) float64 {
			return took[min(len(took)-1, int(share*float64(len(took))))].Seconds() * 1000
		}
		s.Kinds[kind] = len(took)
		s.MS[kind] = map[string]float64{"p50": at(.5), "p90": at(.9), "p99": at(.99), "max": at(1)}
	}
	return s
}
