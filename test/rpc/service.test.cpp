// SPDX-License-Identifier: MIT

#include <costar/rpc/service.hpp>

#include <costar/core/result.hpp>

#include <memory>

#include <support/catch.hpp>

#include "hub.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

namespace {

/// Takes its time when it is cancelled.
class lingering final : public rpc::service<hub::Hub> {
public:
    explicit lingering(std::string& said) : said_(&said) {}
    ~lingering() { *said_ += "gone"; }

private:
    kj::Promise<void> slow(SlowContext call) override { return answer(call, takes_leave(call)); }

    task<> takes_leave(SlowContext)
    {
        *said_ += "began ";
        static_cast<void>(co_await as_result(sleep_for(1h)));
        for (int i = 0; i < 10; ++i)
            co_await yield();
        *said_ += "ended ";
    }

    std::string* said_;
};

}  // namespace

TEST_CASE("service: a caller that gives up cancels what the server awaits", "[rpc][service]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        hub_pair ends(io);
        auto hub = ends.hub();
        auto request = hub.slowRequest();
        request.setMilliseconds(3'600'000);
        CHECK((co_await as_result(with_timeout(5ms, request.send()))).error() == costar::errc::timed_out);
        while (ends.server->cancelled == 0)
            co_await echo_of(hub, "on");
        CHECK(ends.server->begun == 1);
        CHECK(ends.server->answered == 0);

        auto quick = hub.slowRequest();
        quick.setMilliseconds(1);
        co_await quick.send();
        CHECK(ends.server->answered == 1);
    };

    strand.run(body(strand.io()));
}

TEST_CASE("service: a server lives until its last task has ended", "[rpc][service]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io, std::string& said) -> task<> {
        asio::local::stream_protocol::socket near(io);
        asio::local::stream_protocol::socket far(io);
        asio::local::connect_pair(near, far);
        auto served = std::make_unique<rpc::connection>(
            rpc::connection::server(std::move(far), kj::heap<lingering>(said)));
        auto calls = rpc::connection::client(std::move(near));
        auto call = calls.bootstrap<hub::Hub>().slowRequest().send();
        while (said.empty())
            co_await sleep_for(1us);
        served.reset();
        while (said.find("gone") == std::string::npos)
            co_await sleep_for(1us);
    };
    std::string said;
    strand.run(body(strand.io(), said));

    CHECK(said == "began ended gone");
}
