// SPDX-License-Identifier: MIT

module costar/benchmarks/peers/go_harness

go 1.23
