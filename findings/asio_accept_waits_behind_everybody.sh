#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Boost.Asio 1.81 (Debian 12, libboost1.81-dev 1.81.0-5+deb12u1), one thread, the usual loop of async_accept.
#
# One would guess that connections that wait in the kernel are accepted soon, whatever others ask meanwhile. But
# an accept that is ready completes by a post behind all handlers that are ready, and the next accept begins
# after that: there is one accept for each round in which everybody else who is ready has one read and one
# write. So a newcomer waits for as many rounds as there are newcomers before it. The last of 100 that come
# while 200 connections have 50 requests each in their sockets is served when all of these are done; with 1000
# connections that ask again as soon as they are answered it takes seconds. Accepting all that wait by
# accept() on the non-blocking acceptor, after each async_accept, is a way out.
#
# Seen:
#   one accept at a time: the last of 100 newcomers is served as request 10100 of 10100
#   all that wait: the last of 100 newcomers is served as request 428 of 10100
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -o APT::Sandbox::User=root download -qq libboost1.81-dev=1.81.0-5+deb12u1 >/dev/null
dpkg-deb -x libboost1.81-dev_*.deb root

cat >order.cpp <<'CODE'
#include <boost/asio.hpp>

#include <cstdio>
#include <memory>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr int old_ones = 200, requests = 50, newcomers = 100, total = old_ones * requests + newcomers;

int served = 0, newcomers_served = 0, last_newcomer = 0;

struct session : std::enable_shared_from_this<session> {
    explicit session(tcp::socket socket, bool is_new) : socket(std::move(socket)), is_new(is_new) {}
    void read()
    {
        socket.async_read_some(asio::buffer(&request, 1), [self = shared_from_this()](auto failure, auto) {
            if (failure)
                return;
            ++served;
            if (self->is_new && ++newcomers_served == newcomers)
                last_newcomer = served;
            if (served == total)
                static_cast<asio::io_context&>(self->socket.get_executor().context()).stop();
            asio::async_write(self->socket, asio::buffer(&self->request, 1), [self](auto failed, auto) {
                if (!failed)
                    self->read();
            });
        });
    }
    tcp::socket socket;
    bool is_new;
    char request = 0;
};

void accept_all(tcp::acceptor& open, int& accepted, bool at_once)
{
    open.async_accept([&, at_once](auto failure, tcp::socket client) {
        while (!failure) {
            std::make_shared<session>(std::move(client), accepted++ >= old_ones)->read();
            if (!at_once)
                break;
            client = tcp::socket(open.get_executor());
            open.accept(client, failure);
        }
        accept_all(open, accepted, at_once);
    });
}

int run(bool at_once)
{
    served = newcomers_served = last_newcomer = 0;
    asio::io_context io;
    tcp::acceptor open(io, {asio::ip::address_v4::loopback(), 0});
    open.non_blocking(true);
    int accepted = 0;
    accept_all(open, accepted, at_once);
    asio::io_context other;
    std::vector<tcp::socket> clients;
    while (clients.size() < old_ones) {
        clients.emplace_back(other).connect(open.local_endpoint());
        while (accepted < static_cast<int>(clients.size()))
            io.run_one();
    }
    const std::vector<char> many(requests);
    for (tcp::socket& each : clients)
        asio::write(each, asio::buffer(many));
    while (clients.size() < old_ones + newcomers) {
        clients.emplace_back(other).connect(open.local_endpoint());
        asio::write(clients.back(), asio::buffer(many, 1));
    }
    io.run();
    return last_newcomer;
}

int main()
{
    const int one = run(false), all = run(true);
    constexpr char line[] = "%s: the last of %d newcomers is served as request %d of %d\n";
    std::printf(line, "one accept at a time", newcomers, one, total);
    std::printf(line, "all that wait", newcomers, all, total);
    return one > total * 9 / 10 && all < total / 10 ? 0 : 1;
}
CODE
g++ -std=c++20 -O1 -I root/usr/include order.cpp -o order -pthread
timeout 60 ./order
