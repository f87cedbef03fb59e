// SPDX-License-Identifier: MIT

// A bank that answers HTTP and WebSocket clients: each account is an actor, each transfer asks two of them.
//
// Run:     build/demos/service, then the lines it prints
// Prints:  three lines to try, and a line of figures in each second with traffic. Ctrl-C ends it.
// Teaches: actors that answer requests beside ordinary Asio operations, crash, begin anew, and end in order.

#include "figures.hpp"
#include "listener.hpp"
#include "options.hpp"
#include "say.hpp"
#include "teller.hpp"

#include <costar/actor/engine.hpp>
#include <costar/core/spawn.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/when.hpp>

#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <future>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

void print_what_to_try(std::uint16_t port)
{
    const auto base = fmt::format("http://127.0.0.1:{}", port);
    service::say(
        fmt::format("A bank listens on {0}. Try:\n\n"
                    "    curl -d '{{\"amount\": 100}}' {0}/accounts/alice/deposit\n"
                    "    curl -d '{{\"amount\": 1}}' {0}/accounts/bob/deposit; "
                    "curl -d '{{\"from\": \"alice\", \"to\": \"bob\", \"amount\": 40}}' {0}/transfers\n"
                    "    curl -d '' {0}/accounts/alice/crash; curl {0}/accounts/alice {0}/stats\n\n",
            base));
}

/// Each connection is a file handle; the number that a program begins with is often too small.
void raise_handle_limit(std::size_t connections)
{
    rlimit handles{};
    if (getrlimit(RLIMIT_NOFILE, &handles) != 0)
        return;
    const rlim_t wanted = connections + 1024;  // those that are turned away, and the service itself
    if (handles.rlim_cur < wanted) {
        handles.rlim_cur = std::min(wanted, handles.rlim_max);
        setrlimit(RLIMIT_NOFILE, &handles);
    }
}

service::lot draw()
{
    std::random_device source;
    service::lot drawn{};
    for (std::uint64_t& number : drawn)
        number = std::uint64_t{source()} << 32 | source();
    return drawn;
}

costar::task<> wait_for_the_end(asio::signal_set& signals, std::chrono::milliseconds run_for)
{
    if (run_for > 0ms)
        co_await costar::when_any(signals.async_wait(costar::use_task), costar::sleep_for(run_for));
    else
        co_await signals.async_wait(costar::use_task);
}

int run(const service::options& options)
{
    const service::lot drawn = draw();
    std::vector<service::tally> tallies;  // these outlive the actors that use them
    std::vector<service::teller> tellers;

    raise_handle_limit(options.connections_max);

    // A strand that looks for work (spin) would take the cores from its clients on this machine.
    costar::engine engine{{.strands = options.strands, .spin = 0s, .shutdown_timeout = 1s}};
    std::optional<service::acceptor> open;
    try {
        open = service::open_port(engine.get_executor(), options.port);
    } catch (const boost::system::system_error& failure) {
        fmt::print(stderr, "service: port {} of 127.0.0.1 cannot be used: {}. Choose another with --port.\n",
            options.port, failure.code().message());
        return service::exit_unusable;
    }
    asio::signal_set signals(engine.get_executor(), SIGINT, SIGTERM);

    tallies = std::vector<service::tally>(engine.size());
    for (std::size_t strand = 0; strand < engine.size(); ++strand)
        tellers.emplace_back(engine, options, tallies, strand, drawn);

    print_what_to_try(open->local_endpoint().port());
    engine.spawn("reporter", service::reporter, &std::as_const(tallies));
    const costar::pid front = engine.spawn("listener", service::listener, std::move(*open), &tellers);
    costar::async_spawn(engine.get_executor(), wait_for_the_end(signals, options.run_for), asio::use_future)
        .get();

    // First whoever talks to clients, so that what they asked for is still answered; the accounts end with
    // the engine.
    const auto ended = engine.stop(front, asio::use_future);
    const bool is_finished = ended.wait_for(options.drain_limit) == std::future_status::ready;
    if (!is_finished)
        service::say(
            fmt::format("Some requests were not finished within {} ms.\n", options.drain_limit.count()));
    const service::totals counts = service::sum_of(tallies);
    service::say(fmt::format("{} requests answered, {} accounts, {} transfers.\n", counts.requests,
        counts.accounts, counts.transfers));
    return is_finished ? 0 : service::exit_unfinished;
}

}  // namespace

int main(int argc, char** argv)
{
    std::signal(SIGPIPE, SIG_IGN);  // whoever reads what is printed may go away
    int exit_code = 0;
    const auto options = service::read_options("service", argc, argv, exit_code);
    return options ? run(*options) : exit_code;
}
