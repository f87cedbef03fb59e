# The front door: `make demo` and `make test` install what is missing, build and run. Meson does the work.

BUILD = build
NINJA = ninja $(JOBS:%=-j%)
MESON_TEST = meson test --print-errorlogs
SANITIZE = --buildtype=debugoptimized -Dcpp_args=-g1 -Db_ndebug=false -Db_lundef=false -Ddemos=false -Dbenchmarks=false
FUZZ_CXX = $(if $(findstring clang,$(CXX)),$(CXX),$(if $(shell command -v ccache),ccache )clang++-19)
SOURCES = find include lib test demos benchmarks -name '*.[ch]pp' -print0

# Lets ccache keep what begins with a precompiled header.
export CCACHE_SLOPPINESS ?= pch_defines,time_macros

.PHONY: help setup demo demo-remote test test-asan test-tsan fuzz bench bench-smoke bench-growth bench-peers bench-remote soak stress worlds format format-check tidy lint install clean

help:
	@echo 'make demo         build and run the account service; ARGS="--port 18080 --for 20s" are its arguments'
	@echo 'make demo-remote  processes whose actors ask, watch and spawn each other'
	@echo 'make test         build everything and run all tests; ARGS="--suite unit" go to meson test'
	@echo 'make test-asan    unit and thread tests under AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make test-tsan    unit and thread tests under ThreadSanitizer'
	@echo 'make fuzz         makes up what peers may send for 90 seconds, with Clang; ARGS="3600" seconds'
	@echo 'make bench        build and run the benchmarks; ARGS are their arguments'
	@echo 'make bench-remote nodes beside TCP alone, Cap'"'"'n Proto alone and peers; ARGS are arguments of run.py'
	@echo 'make bench-smoke  every benchmark once with few messages, to see that it runs'
	@echo 'make bench-growth how costs grow with the number of other things, and its part of docs/benchmarks.md'
	@echo 'make bench-peers  costar beside other actor systems, and docs/benchmarks.md from it (about an hour)'
	@echo 'make soak         mixed traffic for ten minutes; ARGS="--seconds 60" for less'
	@echo 'make stress       random worlds and overload under threads for ten minutes; ARGS="3600" seconds, and a seed'
	@echo 'make worlds       ten thousand random worlds of nodes, and mistakes that they must find; ARGS=100000 worlds'
	@echo 'make format       format all sources with clang-format 19; make format-check only looks'
	@echo 'make tidy         check the layout and the texts of the project'
	@echo 'make lint         look for likely mistakes in the library with clang-tidy 19; each public header compiles alone'
	@echo 'make install      install library and headers below PREFIX=/usr/local'
	@echo 'make clean        remove the build folders'
	@echo 'Missing packages are installed first (Debian 12, Debian 13, Ubuntu 24.04). CXX names the compiler,'
	@echo 'JOBS how many run at once, BUILD the folder; MESON_ARGS go to meson setup when it is made.'

setup:
	@scripts/setup $(BUILD) $(MESON_ARGS)

demo: setup
	@$(NINJA) -C $(BUILD) demos/service
	@exec $(BUILD)/demos/service $(ARGS)

demo-remote: setup
	@$(NINJA) -C $(BUILD) demos/remote/31_two_nodes demos/remote/32_spawn demos/remote/33_remote_router
	@for each in 31_two_nodes 32_spawn 33_remote_router; do $(BUILD)/demos/remote/$$each || exit; done

test: setup
	@$(NINJA) -C $(BUILD)
	@exec $(MESON_TEST) -C $(BUILD) --no-rebuild $(ARGS)

test-asan:
	@scripts/packages check
	@scripts/setup $(BUILD)-asan $(SANITIZE) -Db_sanitize=address,undefined $(MESON_ARGS)
	@$(NINJA) -C $(BUILD)-asan test-programs
	@exec $(MESON_TEST) -C $(BUILD)-asan --no-rebuild --suite unit --suite thread $(ARGS)

test-tsan:
	@scripts/packages check
	@scripts/setup $(BUILD)-tsan $(SANITIZE) -Db_sanitize=thread $(MESON_ARGS)
	@$(NINJA) -C $(BUILD)-tsan test-programs
	@exec $(MESON_TEST) -C $(BUILD)-tsan --no-rebuild --suite unit --suite thread $(ARGS)

fuzz:
	@scripts/packages check
	@CXX="$(FUZZ_CXX)" scripts/setup $(BUILD)-fuzz $(SANITIZE) -Doptimization=1 -Db_sanitize=address,undefined \
	    -Dfuzz=true $(MESON_ARGS)
	@$(NINJA) -C $(BUILD)-fuzz fuzzers
	@exec scripts/fuzz $(BUILD)-fuzz $(ARGS)

bench: setup
	@$(NINJA) -C $(BUILD) bench
	@exec python3 benchmarks/run.py --build $(BUILD) $(ARGS)

bench-remote: setup
	@$(NINJA) -C $(BUILD) bench-remote
	@exec benchmarks/remote/run $(BUILD) $(ARGS)

bench-smoke: setup
	@$(NINJA) -C $(BUILD) bench
	@exec $(MESON_TEST) -C $(BUILD) --no-rebuild --suite bench $(ARGS)

bench-growth: setup
	@$(NINJA) -C $(BUILD) benchmarks/bench_growth
	@python3 benchmarks/growth.py $(BUILD) $(ARGS)
	@cd benchmarks/results && exec python3 ../report.py peers.json --service service.json --soak soak.json \
	    --growth growth.json --idle idle.json --remote remote.json

bench-peers:
	@scripts/packages peers
	@scripts/setup $(BUILD) $(MESON_ARGS)
	@$(NINJA) -C $(BUILD) bench demos/service benchmarks/plain_service
	@exec benchmarks/peers/run $(BUILD) $(ARGS)

soak: setup
	@$(NINJA) -C $(BUILD) bench demos/service
	@exec python3 benchmarks/soak.py $(BUILD) $(ARGS)

stress: setup
	@$(NINJA) -C $(BUILD) test/test_thread test/test_testing
	@exec scripts/stress $(BUILD) $(ARGS)

worlds: setup
	@$(NINJA) -C $(BUILD) test/remote/test_remote_world
	@COSTAR_SEEDS=$(or $(ARGS),10000) $(BUILD)/test/remote/test_remote_world
	@exec python3 test/remote/mistakes.py $(BUILD)

format:
	@scripts/packages check
	@$(SOURCES) | xargs -0 clang-format-19 -i

format-check:
	@scripts/packages check
	@$(SOURCES) | xargs -0 clang-format-19 --dry-run --Werror

tidy:
	@exec python3 test/tidy.py

lint: setup
	@scripts/packages check
	@$(NINJA) -C $(BUILD) header-check
	@find lib -name '*.cpp' ! -name asio.cpp -print0 | xargs -0 -n 1 -P 2 clang-tidy-19 --quiet -p $(BUILD)

install: setup
	@$(NINJA) -C $(BUILD)
	@meson configure $(BUILD) --prefix=$(or $(PREFIX),/usr/local) --libdir=lib
	@exec meson install -C $(BUILD)

clean:
	@rm -rf build build-*
