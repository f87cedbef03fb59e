// SPDX-License-Identifier: MIT

#include <costar/remote/transport.hpp>

#include <costar/core/result.hpp>
#include <costar/core/spawn.hpp>
#include <costar/core/when.hpp>
#include <costar/core/with_timeout.hpp>

#include <string>

#include <support/catch.hpp>

#include "places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

namespace {

/// What comes of dialling somewhere while somebody accepts.
task<std::string> dials(remote::transport& network, remote::acceptor& door, costar::asio::any_io_executor at)
{
    auto [accepted, dialled] = co_await when_all(door.accept(at), network.dial(door.address()));
    co_await accepted->open();
    co_await dialled->open();
    co_return dialled->peer();
}

task<> waits_a_little(remote::acceptor& door, costar::asio::any_io_executor at)
{
    co_await with_timeout(1ms, door.accept(at));
}

}  // namespace

TEST_CASE("transport: TCP dials what listens, and says why it cannot", "[remote][transport]")
{
    engine actors({.strands = 1});
    const auto strand = actors.get_executor(0);
    const auto network = remote::tcp_transport();
    auto door = network->listen("127.0.0.1:0", strand);
    const std::string address = door->address();
    CHECK_FALSE(door->is_wildcard());
    CHECK_FALSE(door->is_exposed());
    CHECK(network->listen("0.0.0.0:0", strand)->is_wildcard());
    CHECK(network->listen("0.0.0.0:0", strand)->is_exposed());
    CHECK(async_spawn(strand, dials(*network, *door, strand), use_future).get() == address);

    CHECK_THROWS_AS(network->listen("nowhere", strand), std::invalid_argument);
    CHECK_THROWS_AS(network->listen(address, strand), boost::system::system_error);
    // Nobody comes, and whoever waits for that may be told to stop.
    CHECK(failure_of([&] { async_spawn(strand, waits_a_little(*door, strand), use_future).get(); }) ==
        errc::timed_out);
    door->close();
    CHECK(failure_of([&] { async_spawn(strand, network->dial(address), use_future).get(); }) ==
        boost::asio::error::connection_refused);
    CHECK(network->draw() != network->draw());
}
