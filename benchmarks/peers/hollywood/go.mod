// SPDX-License-Identifier: MIT

module costar/benchmarks/peers/hollywood

go 1.23

require (
	costar/benchmarks/peers/go_harness v0.0.0
	github.com/anthdm/hollywood v1.0.5
)

require (
	github.com/DataDog/gostackparse v0.7.0 // indirect
	github.com/klauspost/cpuid/v2 v2.0.9 // indirect
	github.com/zeebo/xxh3 v1.0.2 // indirect
	google.golang.org/protobuf v1.32.0 // indirect
)

replace costar/benchmarks/peers/go_harness => ../go_harness
