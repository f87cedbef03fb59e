// SPDX-License-Identifier: MIT

package harness

import (
	"sync"
	"sync/atomic"
	"time"
)

// R4: the size of a message, how many may be under way, and what one envelope may have to hold.
const (
	LoadBytes    = 1_000_000
	LoadsMax     = 32
	EnvelopesMax = 2 * LoadsMax * LoadBytes // as many as there can be go in one
)

// Flood has so many goroutines send for five seconds, waits until all has been received, and says at what rate.
func Flood(order Order, senders int, received *atomic.Uint64, send func()) Outcome {
	length := 5 * time.Second
	if order.Quick {
		length = 50 * time.Millisecond
	}
	var sent atomic.Uint64
	watch := Start()
	deadline := time.Now().Add(length)
	var group sync.WaitGroup
	for range senders {
		group.Add(1)
		go func() {
			defer group.Done()
			for time.Now().Before(deadline) {
				send()
				sent.Add(1)
			}
		}()
	}
	group.Wait()
	for end := time.Now().Add(2 * time.Minute); received.Load() != sent.Load() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	outcome := watch.Rate("messages", "msg/s", received.Load())
	outcome.Sent, outcome.Received = sent.Load(), received.Load()
	return outcome
}
