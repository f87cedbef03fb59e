// SPDX-License-Identifier: MIT

// Package harness is what the benchmark programs of the Go peers share: one program for each peer, one
// process for each run, one line of JSON for each outcome.
package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
)

// Peer tells what is measured.
type Peer struct {
	Name     string `json:"name"`
	Module   string `json:"-"` // its path; the version is the one that was built in
	Version  string `json:"version"`
	Language string `json:"language"`
	Settings string `json:"settings"`

	Serve func() string `json:"-"` // begins the second process of R2 to R4, says where it is reached
}

// Order is what one run is to do.
type Order struct {
	Strands int
	Quick   bool // tiny counts, to see that it runs
}

// Count is full in a measurement, a hundredth of it in a quick run.
func (order Order) Count(full uint64) uint64 {
	if order.Quick {
		return full / 100
	}
	return full
}

// Figure is one measured figure.
type Figure struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Better string  `json:"better"`
}

// Outcome is what a run measured.
type Outcome struct {
	Figures     []Figure `json:"figures"`
	Sent        uint64   `json:"sent"`
	Received    uint64   `json:"received"`
	Allocations uint64   `json:"allocations"`
	Note        string   `json:"note"`

	besideCPU  float64 // of a second process
	besidePeak uint64
}

// Add adds figures.
func (outcome *Outcome) Add(figures ...Figure) { outcome.Figures = append(outcome.Figures, figures...) }

// NoteScale tells when less than the full number was run, and its time scaled.
func (outcome *Outcome) NoteScale(what string, full, scale uint64) {
	if scale != 1 {
		outcome.Note = fmt.Sprintf("%d %s, times scaled to %d", full/scale, what, full)
	}
}

// Workload is a workload as one peer does it.
type Workload struct {
	Name     string
	Variant  string // behind the name of the peer, for other settings than the usual ones
	Strands  []int
	InFlight int
	Bytes    int  // of a message, 8 when nothing is said
	Foreign  bool // a goroutine that is no actor sends all the time, and has a core of its own
	Run      func(Order) Outcome
}

type line struct {
	Workload     string `json:"workload"`
	Peer         string `json:"peer"`
	Strands      int    `json:"strands"`
	InFlight     int    `json:"in_flight"`
	MessageBytes int    `json:"message_bytes"`
	Outcome
	CPUSeconds   float64 `json:"cpu_seconds"`
	PeakRSSBytes uint64  `json:"peak_rss_bytes"`
}

// Main answers `list`, `about` and `run WORKLOAD PEER STRANDS [--quick]`.
func Main(peer Peer, offered []Workload) {
	args := os.Args[1:]
	switch {
	case slices.Equal(args, []string{"list"}):
		for _, each := range offered {
			for _, strands := range each.Strands {
				fmt.Println(each.Name, peer.Name+each.Variant, strands)
			}
		}
	case slices.Equal(args, []string{"about"}):
		peer.Version = versionOf(peer.Module)
		peer.Language = runtime.Version()
		printJSON(map[string]Peer{"peer": peer})
	case slices.Equal(args, []string{"serve"}) && peer.Serve != nil:
		serve(peer)
	case (len(args) == 4 || len(args) == 5 && args[4] == "--quick") && args[0] == "run":
		strands, err := strconv.Atoi(args[3])
		at := slices.IndexFunc(offered, func(each Workload) bool {
			return each.Name == args[1] && peer.Name+each.Variant == args[2]
		})
		if err != nil || at < 0 || !slices.Contains(offered[at].Strands, strands) {
			fail(2, "this run is not offered, see `list`")
		}
		run(offered[at], args[2], Order{Strands: strands, Quick: len(args) == 5})
	default:
		fail(2, "usage: "+os.Args[0]+" list | about | run WORKLOAD PEER STRANDS [--quick]")
	}
}

func run(workload Workload, peer string, order Order) {
	cores := order.Strands
	if workload.Foreign {
		cores++
	}
	if err := occupy(cores); err != nil {
		fail(1, "no core: "+err.Error())
	}
	outcome := workload.Run(order)
	bytes := workload.Bytes
	if bytes == 0 {
		bytes = 8
	}
	printJSON(line{
		Workload: workload.Name, Peer: peer, Strands: order.Strands,
		InFlight: workload.InFlight, MessageBytes: bytes,
		Outcome: outcome, CPUSeconds: cpuSeconds() + outcome.besideCPU,
		PeakRSSBytes: memoryField("VmHWM") + outcome.besidePeak,
	})
	if outcome.Sent != outcome.Received {
		fail(1, fmt.Sprintf("%d messages were sent and %d received", outcome.Sent, outcome.Received))
	}
}

// Check ends the program when a peer could not do what it was told.
func Check(err error) {
	if err != nil {
		fail(1, err.Error())
	}
}

func versionOf(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, each := range info.Deps {
			if each.Path == module {
				return each.Version
			}
		}
	}
	return "?"
}

func printJSON(value any) {
	text, err := json.Marshal(value)
	Check(err)
	fmt.Println(string(text))
}

func fail(code int, message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(code)
}
