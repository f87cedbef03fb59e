// SPDX-License-Identifier: MIT

// The account service without actors: Beast with callbacks, one io_context per thread, a locked table of
// accounts. It is what demos/service is measured against by service_load.py.

#include "session.hpp"

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <deque>
#include <optional>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

/// One thread's share.
struct alignas(128) lane {
    asio::io_context io{1};
    std::atomic<std::uint64_t> requests{0};
    service::date_line date{};
};

class server {
public:
    explicit server(const service::options& chosen) : options_(chosen), signals_(first().io, SIGINT, SIGTERM)
    {
        const std::size_t threads =
            chosen.strands != 0 ? chosen.strands : std::max(1U, std::thread::hardware_concurrency());
        while (lanes_.size() < threads)
            lanes_.emplace_back();
    }

    void open()
    {
        open_.emplace(
            first().io.get_executor(), tcp::endpoint(asio::ip::address_v4::loopback(), options_.port));
        fmt::print("A plain server listens on http://127.0.0.1:{}.\n", open_->local_endpoint().port());
        std::fflush(stdout);
    }

    void run()
    {
        accept();
        signals_.async_wait([this](auto, int) { stop(); });
        if (options_.run_for.count() > 0) {
            timer_.expires_after(options_.run_for);
            timer_.async_wait([this](auto) { stop(); });
        }
        std::vector<std::thread> threads;
        for (lane& each : lanes_)
            threads.emplace_back([&each] {
                const auto stays = asio::make_work_guard(each.io);
                each.io.run();
            });
        for (std::thread& each : threads)
            each.join();
    }

private:
    lane& first()
    {
        if (lanes_.empty())
            lanes_.emplace_back();
        return lanes_.front();
    }

    void accept()
    {
        lane& next = lanes_[turn_++ % lanes_.size()];
        open_->async_accept(
            next.io.get_executor(), [this, &next](boost::system::error_code failure, plain::socket client) {
                if (!open_->is_open())
                    return;
                if (!failure) {
                    client.set_option(tcp::no_delay(true), failure);
                    auto made = std::make_shared<plain::session>(
                        std::move(client), bank_, next.requests, next.date, options_);
                    asio::post(next.io, [made] { made->begin(); });
                }
                accept();
            });
    }

    void stop()
    {
        for (lane& each : lanes_)
            each.io.stop();
    }

    const service::options& options_;
    plain::bank bank_;
    std::deque<lane> lanes_;
    asio::signal_set signals_;
    asio::steady_timer timer_{first().io};
    std::optional<tcp::acceptor> open_;
    std::size_t turn_ = 0;
};

}  // namespace

int main(int argc, char** argv)
{
    int exit_code = 0;
    const auto options = service::read_options("plain_service", argc, argv, exit_code);
    if (!options)
        return exit_code;
    server plain(*options);
    try {
        plain.open();
    } catch (const boost::system::system_error& failure) {
        fmt::print(stderr, "plain_service: port {} of 127.0.0.1 cannot be used: {}.\n", options->port,
            failure.code().message());
        return service::exit_unusable;
    }
    plain.run();
    return 0;
}
