// SPDX-License-Identifier: MIT

// R7 with costar: what ten thousand links cost over which nothing goes but heartbeats, each to a node of its
// own. These share one thread of the second process and dial the one that is measured.

#include "nodes.hpp"

#include "second_process.hpp"

#include <costar/actor/engine.hpp>
#include <costar/remote/node.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>

namespace bench {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Lets the process have as many files as it may.
void want_files(std::size_t count)
{
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < count) {
        limit.rlim_max = std::max<rlim_t>(limit.rlim_max, count);  // only root may raise it
        limit.rlim_cur = count;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            throw std::runtime_error(fmt::format("{} files are more than this process may have", count));
    }
}

struct far_end {
    explicit far_end(asio::io_context& io) : engine(io.get_executor()) {}

    costar::engine engine;
    costar::remote::node node{engine, all_words()};
};

/// Dials from so many nodes, some at a time, and says so when all are connected.
void serve_far_ends(const second_process::door& door, std::size_t count)
{
    constexpr std::size_t at_a_time = 50;
    want_files(count + 100);
    door.open("ready");
    const std::string address = door.hear();
    asio::io_context io(1);
    const auto work = asio::make_work_guard(io);
    std::thread running([&] { io.run(); });
    std::deque<far_end> all;
    while (all.size() < count) {
        std::vector<std::future<costar::pid>> dialled;
        for (std::size_t i = 0; i < at_a_time && all.size() < count; ++i)
            dialled.push_back(all.emplace_back(io).node.find(address, "nobody", asio::use_future));
        for (auto& each : dialled)
            each.wait();  // there is no such actor, but there is a link
    }
    door.open("connected");
    door.wait();
    io.stop();
    running.join();
    static_cast<void>(new std::deque<far_end>(std::move(all)));  // the process ends
}

std::uint64_t connected(const costar::remote::node& node)
{
    const auto peers = node.peers();
    return static_cast<std::uint64_t>(
        std::ranges::count_if(peers, [](const auto& each) { return each.is_connected; }));
}

}  // namespace

outcome idle_links(const order& order)
{
    const std::size_t count = order.count(10'000);
    const auto length = order.quick ? 100ms : 10s;
    second_process second([&](const auto& door) { serve_far_ends(door, count); });
    want_files(count + 100);
    costar::engine engine({.strands = 1});
    costar::remote::node node(engine, all_words(), {.listen = "127.0.0.1:0"});
    const std::uint64_t bytes_before = resident_bytes();
    const stopwatch watch;
    second.tell(node.address());
    if (second.hear() != "connected")
        throw std::runtime_error("the far ends have ended");
    const double seconds_to_connect = watch.seconds();
    const std::uint64_t bytes = resident_bytes() - bytes_before;

    const double cpu_before = usage_so_far().cpu_seconds;
    std::this_thread::sleep_for(length);
    const double cpu = usage_so_far().cpu_seconds - cpu_before;

    outcome made;
    made.allocations = watch.allocations();
    made.figures = {{"memory of a link", static_cast<double>(bytes) / static_cast<double>(count), "B", false},
        {"processor time of 10 s", cpu, "s", false}};
    made.note = fmt::format("{} links, made in {:.1f} s", count, seconds_to_connect);
    made.sent = count;
    made.received = connected(node);
    made.beside = second.end();
    return made;
}

}  // namespace bench
