// SPDX-License-Identifier: MIT

package harness

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// occupy lets so many threads run Go code. A single one gets core 0; for that the process starts anew, since
// only then the runtime knows that it has one core and its threads are all there.
func occupy(cores int) error {
	if cores > 1 || runtime.NumCPU() == 1 {
		runtime.GOMAXPROCS(cores)
		return nil
	}
	runtime.LockOSThread()
	mask := [16]uint64{1}
	_, _, failure := syscall.RawSyscall(
		syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	if failure != 0 {
		return failure
	}
	return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	Check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) * 1e-9
}

// LiveBytes is what the process holds in memory when all garbage has been given back.
func LiveBytes() uint64 {
	debug.FreeOSMemory()
	return memoryField("VmRSS")
}

// memoryField is a field of /proc/self/status in bytes.
func memoryField(name string) uint64 {
	status, err := os.ReadFile("/proc/self/status")
	Check(err)
	_, rest, _ := strings.Cut(string(status), name+":")
	kilobytes, err := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
	Check(err)
	return kilobytes * 1024
}
