// SPDX-License-Identifier: MIT

#include "harness.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <new>
#include <stdexcept>

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace {

/// Calls of operator new, one count for each thread that makes any, so that counting costs next to nothing.
struct alignas(128) allocation_count {
    std::atomic<std::uint64_t> calls{
        0};  // written by one thread; the last place is shared by all that come late
};

constexpr std::size_t places = 64;
allocation_count counts[places];
std::atomic<std::size_t> next_place{0};

void count_allocation() noexcept
{
    static thread_local std::size_t place = std::min(next_place.fetch_add(1), places - 1);
    auto& calls = counts[place].calls;
    calls.store(calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

std::uint64_t allocations_so_far() noexcept
{
    std::uint64_t all = 0;
    for (const allocation_count& each : counts)
        all += each.calls.load(std::memory_order_relaxed);
    return all;
}

double cpu_seconds()
{
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// A field of /proc/self/status in bytes. `ru_maxrss` will not do: it begins with the size of the process
/// that started this one.
std::uint64_t memory_field(std::string_view name)
{
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(name) && line[name.size()] == ':')
            return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10) * 1024;
    return 0;
}

void print(const bench::workload& ran, const bench::order& order, const bench::outcome& outcome)
{
    std::string figures;
    for (const bench::figure& each : outcome.figures)
        figures += fmt::format(R"({}{{"name": "{}", "value": {:.6g}, "unit": "{}", "better": "{}"}})",
            figures.empty() ? "" : ", ", each.name, each.value, each.unit,
            each.more_is_better ? "more" : "less");
    const bench::usage own = bench::usage_so_far();
    fmt::print(R"({{"workload": "{}", "peer": "{}", "strands": {}, "in_flight": {}, "message_bytes": {}, )"
               R"("figures": [{}], "sent": {}, "received": {}, "allocations": {}, "cpu_seconds": {:.3f}, )"
               R"("peak_rss_bytes": {}, "note": "{}"}})"
               "\n",
        ran.name, ran.peer, order.strands, ran.in_flight, ran.message_bytes, figures, outcome.sent,
        outcome.received, outcome.allocations, own.cpu_seconds + outcome.beside.cpu_seconds,
        own.peak_bytes + outcome.beside.peak_bytes, outcome.note);
}

int explain(const char* program)
{
    fmt::print(stderr, "usage: {} list | about | run WORKLOAD PEER STRANDS [--quick]\n", program);
    return 2;
}

}  // namespace

void* operator new(std::size_t bytes)
{
    count_allocation();
    if (void* memory = std::malloc(bytes != 0 ? bytes : 1))
        return memory;
    throw std::bad_alloc();
}

void* operator new(std::size_t bytes, std::align_val_t alignment)
{
    count_allocation();
    const auto step = static_cast<std::size_t>(alignment);
    if (void* memory = std::aligned_alloc(step, (bytes + step - 1) / step * step))
        return memory;
    throw std::bad_alloc();
}

void operator delete(void* memory) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept
{
    std::free(memory);
}

namespace bench {

int main(int argc, char** argv, const std::vector<workload>& offered, const about& peer)
{
    const std::vector<std::string_view> args(argv + 1, argv + argc);
    if (args.size() == 1 && args[0] == "list") {
        for (const workload& each : offered)
            for (const std::size_t strands : each.strands)
                fmt::print("{} {} {}\n", each.name, each.peer, strands);
        return 0;
    }
    if (args.size() == 1 && args[0] == "about" && !peer.name.empty()) {
        fmt::print(R"({{"peer": {{"name": "{}", "version": "{}", "language": "{}", "settings": "{}"}}}})"
                   "\n",
            peer.name, peer.version, peer.language, peer.settings);
        return 0;
    }
    if (args.size() < 4 || args[0] != "run")
        return explain(argv[0]);
    order order;
    order.strands = std::strtoul(args[3].data(), nullptr, 10);
    order.quick = args.size() == 5 && args[4] == "--quick";
    for (const workload& each : offered) {
        if (each.name != args[1] || each.peer != args[2])
            continue;
        const outcome outcome = each.run(order);
        print(each, order, outcome);
        std::fflush(stdout);
        if (outcome.sent != outcome.received) {
            fmt::print(stderr, "{} messages were sent and {} received\n", outcome.sent, outcome.received);
            std::_Exit(1);
        }
        std::_Exit(0);  // what the workload left behind need not be taken apart
    }
    return explain(argv[0]);
}

stopwatch::stopwatch() : start_(std::chrono::steady_clock::now()), allocations_(allocations_so_far()) {}

double stopwatch::seconds() const
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

std::uint64_t stopwatch::allocations() const
{
    return allocations_so_far() - allocations_;
}

void pin_to(std::size_t core)
{
    const auto cores = static_cast<std::size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core % cores, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

usage usage_so_far()
{
    return {cpu_seconds(), memory_field("VmHWM")};
}

std::uint64_t resident_bytes()
{
    return memory_field("VmRSS");
}

outcome rate(std::string name, std::string unit, std::uint64_t count, const stopwatch& watch)
{
    outcome made;
    const double seconds = watch.seconds();
    made.allocations = watch.allocations();
    made.figures.push_back({std::move(name), static_cast<double>(count) / seconds, std::move(unit), true});
    return made;
}

outcome duration(std::string name, const stopwatch& watch)
{
    outcome made;
    const double seconds = watch.seconds();
    made.allocations = watch.allocations();
    made.figures.push_back({std::move(name), seconds, "s", false});
    return made;
}

double latencies::percentile(double part)
{
    if (values_.empty())
        return 0;
    const auto at =
        values_.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(values_.size() - 1));
    std::nth_element(values_.begin(), at, values_.end());
    return *at;
}

std::vector<figure> latencies::figures()
{
    return {{"p50", percentile(0.5), "ns", false}, {"p90", percentile(0.9), "ns", false},
        {"p99", percentile(0.99), "ns", false}, {"p99.9", percentile(0.999), "ns", false}};
}

}  // namespace bench
