#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Boost.Asio 1.81 (Debian 12, libboost1.81-dev 1.81.0-5+deb12u1), experimental::channel with a buffer.
#
# One would guess that a receive which was given up leaves an empty channel as it found it. But the channel goes
# on as if somebody waited in it: the next try_send finds nobody to give the value to and refuses it, though the
# buffer is empty, and an async_send does not end before a receive comes. So a deadline around a receive turns a
# channel with a buffer into one without, for the first send behind it and for later ones too. Whoever sends by
# try_send has to keep what was refused, or to receive through one operation that is never cancelled.
#
# Seen:
#   before: try_send 1
#   after a cancelled receive: try_send 0, and again 0
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -o APT::Sandbox::User=root download -qq libboost1.81-dev=1.81.0-5+deb12u1 >/dev/null
dpkg-deb -x libboost1.81-dev_*.deb root

cat >refused.cpp <<'CODE'
#include <boost/asio.hpp>
#include <boost/asio/experimental/channel.hpp>

#include <cstdio>

namespace asio = boost::asio;
using boost::system::error_code;

int main()
{
    asio::io_context io;
    asio::experimental::channel<void(error_code, int)> values(io, 2);
    const bool before = values.try_send(error_code(), 1);
    values.async_receive([](error_code, int) {});
    io.poll();
    io.restart();

    asio::cancellation_signal signal;
    values.async_receive(asio::bind_cancellation_slot(signal.slot(), [](error_code, int) {}));
    signal.emit(asio::cancellation_type::all);
    io.poll();
    const bool first = values.try_send(error_code(), 2);
    const bool second = values.try_send(error_code(), 3);

    std::printf("before: try_send %d\n", before);
    std::printf("after a cancelled receive: try_send %d, and again %d\n", first, second);
    return before && !first && !second ? 0 : 1;
}
CODE
g++ -std=c++20 -O1 -I root/usr/include refused.cpp -o refused -pthread
timeout 20 ./refused
