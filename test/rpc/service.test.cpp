// SPDX-License-Identifier: MIT

#include <costar/rpc/service.hpp>

#include <costar/core/cancellation.hpp>
#include <costar/core/result.hpp>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

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

    task<> takes_leave(rpc::call<SlowContext>)
    {
        *said_ += "began ";
        static_cast<void>(co_await as_result(sleep_for(1h)));
        for (int i = 0; i < 10; ++i)
            co_await yield();
        *said_ += "ended ";
    }

    std::string* said_;
};

rpc::connection serves(unix_socket socket, std::string& said)
{
    return rpc::connection::server(std::move(socket), kj::heap<lingering>(said));
}

/// Looks at its call when nobody waits for it any more.
class tardy final : public rpc::service<hub::Hub> {
public:
    explicit tardy(std::vector<std::uint32_t>& seen) : seen_(&seen) {}

private:
    kj::Promise<void> slow(SlowContext call) override { return answer(call, stays(call)); }

    task<> stays(rpc::call<SlowContext> call)
    {
        co_await shield(sleep_for(2ms));
        call->getResults();
        seen_->push_back(call->getParams().getMilliseconds());
    }

    std::vector<std::uint32_t>* seen_;
};

rpc::connection serves(unix_socket socket, std::vector<std::uint32_t>& seen)
{
    return rpc::connection::server(std::move(socket), kj::heap<tardy>(seen));
}

}  // namespace

TEST_CASE("service: a call lives until its task has ended, whatever becomes of caller and connection",
    "[rpc][service]")
{
    lone_strand strand;
    std::vector<std::uint32_t> seen;
    const auto body = [](asio::io_context& io, std::vector<std::uint32_t>& seen, bool is_cut) -> task<> {
        auto [near, far] = connected_pair(io);
        auto served = std::make_unique<rpc::connection>(serves(std::move(far), seen));
        auto calls = rpc::connection::client(std::move(near));
        auto hub = calls.bootstrap<hub::Hub>();
        auto request = hub.slowRequest();
        request.setMilliseconds(is_cut ? 7 : 8);
        auto ended = co_await as_result(with_timeout(1ms, rpc::send(request)));
        CHECK(ended.error() == costar::errc::timed_out);
        if (is_cut)
            served.reset();
        while (seen.empty())
            co_await sleep_for(100us);
    };
    strand.run(body(strand.io(), seen, true));
    CHECK(std::exchange(seen, {}) == std::vector<std::uint32_t>{7});
    strand.run(body(strand.io(), seen, false));
    CHECK(seen == std::vector<std::uint32_t>{8});
}

TEST_CASE("service: a caller that gives up cancels what the server awaits", "[rpc][service]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        hub_pair ends(io);
        auto hub = ends.hub();
        auto request = hub.slowRequest();
        request.setMilliseconds(3'600'000);
        auto ended = co_await as_result(with_timeout(5ms, rpc::send(request)));
        CHECK(ended.error() == costar::errc::timed_out);
        while (ends.server->cancelled == 0)
            co_await echo_of(hub, "on");
        CHECK(ends.server->begun == 1);
        CHECK(ends.server->answered == 0);

        auto quick = hub.slowRequest();
        quick.setMilliseconds(1);
        co_await rpc::send(quick);
        CHECK(ends.server->answered == 1);
    };

    strand.run(body(strand.io()));
}

TEST_CASE("service: a server lives until its last task has ended", "[rpc][service]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io, std::string& said) -> task<> {
        auto [near, far] = connected_pair(io);
        auto served = std::make_unique<rpc::connection>(serves(std::move(far), said));
        auto calls = rpc::connection::client(std::move(near));
        auto hub = calls.bootstrap<hub::Hub>();
        auto request = hub.slowRequest();
        auto call = request.send();
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
