#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Catch2 2.13.10 (Debian 12, catch2 2.13.10-1) with GCC 12.2.0, and a coroutine that checks what it awaits.
#
# One would guess that CHECK(co_await read() == 1) calls read() once: the macro names its argument more often, in
# __builtin_constant_p, which evaluates nothing, and behind `false &&`. But GCC takes what is awaited out of the
# expression around it, also where that is not evaluated. So read() is called three times, the second object is
# awaited, and a test of something that each call changes passes or fails otherwise than with Clang. With
# Catch2 3.7.1 and GCC 14.2 (Debian 13) a coroutine that is awaited in a CHECK runs twice: a read from a queue
# takes two, or waits for ever. Await first, and check a variable.
#
# Seen:
#   in CHECK: called 3 times, awaited 1 time, the value is that of call 2
#   before CHECK: called 1 time, awaited 1 time, the value is that of call 1
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -o APT::Sandbox::User=root download -qq catch2=2.13.10-1 >/dev/null
dpkg-deb -x catch2_*.deb root

cat >awaits.cpp <<'CODE'
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include <coroutine>
#include <cstdio>

struct coroutine {
    struct promise_type {
        coroutine get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { throw; }
    };
};

int called = 0;
int awaited = 0;
int seen = 0;

/// Gives which call has made it.
struct reading {
    int number;
    bool await_ready() const noexcept { return true; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    int await_resume() const noexcept
    {
        ++awaited;
        return seen = number;
    }
};

reading read()
{
    return {++called};
}

coroutine in_check()
{
    CHECK(co_await read() > 0);
}

coroutine before_check()
{
    const int value = co_await read();
    CHECK(value > 0);
}

TEST_CASE("awaits")
{
    in_check();
    std::printf("in CHECK: called %d times, awaited %d time, the value is that of call %d\n", called, awaited, seen);
    called = awaited = 0;
    before_check();
    std::printf("before CHECK: called %d time, awaited %d time, the value is that of call %d\n", called, awaited, seen);
}

int main(int count, char** words)
{
    return Catch::Session().run(count, words);
}
CODE
g++-12 -std=c++20 -isystem root/usr/include awaits.cpp -o awaits
./awaits | grep called | tee seen
diff seen - <<'EXPECTED'
in CHECK: called 3 times, awaited 1 time, the value is that of call 2
before CHECK: called 1 time, awaited 1 time, the value is that of call 1
EXPECTED
