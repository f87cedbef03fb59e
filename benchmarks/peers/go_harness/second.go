// SPDX-License-Identifier: MIT

package harness

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Second is the other side of a benchmark over a connection: this program once more, on the second core.
type Second struct {
	Address []string // the words that Peer.Serve has said

	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// StartSecond runs Peer.Serve in a process of its own, and waits until it can be reached.
func StartSecond() *Second {
	self, err := os.Executable()
	Check(err)
	command := exec.Command("taskset", "-c", "1", self, "serve")
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	Check(err)
	out, err := command.StdoutPipe()
	Check(err)
	Check(command.Start())
	second := &Second{command: command, in: in, out: bufio.NewReader(out)}
	line, err := second.out.ReadString('\n')
	Check(err)
	second.Address = strings.Fields(line)
	return second
}

// End ends it, and adds what it has used to what the first process has used.
func (second *Second) End(outcome *Outcome) {
	Check(second.in.Close())
	_, err := fmt.Fscan(second.out, &outcome.besideCPU, &outcome.besidePeak)
	Check(err)
	Check(second.command.Wait())
}

// serve is what the second process does.
func serve(peer Peer) {
	fmt.Println(peer.Serve())
	_, err := io.Copy(io.Discard, os.Stdin) // until the first process needs it no more
	Check(err)
	fmt.Println(cpuSeconds(), memoryField("VmHWM"))
}
