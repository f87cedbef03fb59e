#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# KJ of Cap'n Proto 0.9.2 (Debian 12, libcapnp-dev 0.9.2-2), kj::EventPort with a loop of one's own.
#
# One would guess that EventPort::setRunnable(true) comes whenever an empty event loop gets something to do: that is
# what it is for, and what its documentation says. But the loop remembers what it has told, and corrects that in
# run() alone. An event that is armed and dropped again leaves the memory at "runnable" with an empty loop, so the
# next one is not announced, and a program that pumps its loop when it is told to sleeps for ever. Whoever drives KJ
# from another event loop must end each of its turns with run(0), behind everything that may have dropped a promise.
#
# Seen:
#   armed: told 1
#   dropped, and another one armed: told 1
#   after run(0), and another one armed: told 2
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in libcapnp-dev libcapnp-0.9.2; do
    apt-get -o APT::Sandbox::User=root download -qq "$package=0.9.2-2" >/dev/null
    dpkg-deb -x "$package"_*.deb root
done

cat >told.cpp <<'CODE'
#include <kj/async.h>

#include <cstdio>

struct port : kj::EventPort {
    bool wait() override { return false; }
    bool poll() override { return false; }
    void setRunnable(bool runnable) override { told += runnable ? 1 : 0; }
    int told = 0;
};

kj::Promise<void> armed()
{
    return kj::evalLater([] {}).eagerlyEvaluate(nullptr);
}

int main()
{
    port one;
    kj::EventLoop loop(one);
    kj::WaitScope scope(loop);

    {
        auto dropped = armed();
        std::printf("armed: told %d\n", one.told);
    }
    const int first = one.told;
    int second = 0;
    {
        auto dropped = armed();
        second = one.told;
        std::printf("dropped, and another one armed: told %d\n", second);
    }
    loop.run(0);
    auto kept = armed();
    std::printf("after run(0), and another one armed: told %d\n", one.told);
    const bool as_before = first == 1 && second == 1 && one.told == 2;
    loop.run();
    return as_before ? 0 : 1;
}
CODE
libraries=root/usr/lib/x86_64-linux-gnu
g++ -std=c++17 -O1 -I root/usr/include told.cpp -o told -L "$libraries" -lkj-async -lkj -pthread
LD_LIBRARY_PATH=$libraries timeout 20 ./told
