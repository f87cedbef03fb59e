// SPDX-License-Identifier: MIT

#include <costar/remote/transport.hpp>

#include <costar/core/result.hpp>
#include <costar/core/spawn.hpp>
#include <costar/core/when.hpp>
#include <costar/core/with_timeout.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

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

/// TCP, of which looking after certificates throws at first.
class network_that_throws final : public remote::transport {
public:
    std::unique_ptr<remote::acceptor> listen(
        const std::string& address, costar::asio::any_io_executor strand) override
    {
        return tcp_->listen(address, std::move(strand));
    }
    task<std::unique_ptr<remote::new_connection>> dial(std::string address) override
    {
        return tcp_->dial(std::move(address));
    }
    std::chrono::nanoseconds look_interval() const override { return 1ms; }
    std::vector<remote::certificate_notice> look(std::uint64_t&) override
    {
        constexpr int throwing = 20;
        if (++looks_ <= throwing)
            throw std::runtime_error("nobody can look");
        if (looks_ != throwing + 1)
            return {};
        return {{remote::certificate_notice::kind::expires_soon, "a file", "it expires soon"}};
    }

private:
    const std::shared_ptr<remote::transport> tcp_ = remote::tcp_transport();
    int looks_ = 0;
};

}  // namespace

TEST_CASE("transport: one whose look throws is looked at again, and its connections are there",
    "[remote][transport]")
{
    place there({.listen = "127.0.0.1:0", .network = std::make_shared<network_that_throws>()});
    heard<remote::certificate_notice> told(there.actors);
    there.actors.spawn("host", host);
    place here;
    CHECK(here.ask(here.find(there, "host"), greeting{"x"}) == "hello x");
    CHECK(told.comes());
}

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
