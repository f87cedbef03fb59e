// SPDX-License-Identifier: MIT

// How the cost of an operation grows with the number of other things, from a thousand to a million.
//
// Run:     build/benchmarks/bench_growth [MOST], or `make bench-growth`, which makes a table of it
// Prints:  a line of JSON for each operation and number: how much processor time one took, how it may grow

#include <growth_cases.hpp>

#include <fmt/format.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace {

/// Processor time of this thread, in nanoseconds: what others do on the machine does not count.
double spent_so_far() noexcept
{
    timespec spent{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return static_cast<double>(spent.tv_sec) * 1e9 + static_cast<double>(spent.tv_nsec);
}

class stopwatch final : public costar::growth::meter {
public:
    explicit stopwatch(std::size_t n) : n_(n) {}

    void begin() override { began_ = spent_so_far(); }

    void end(std::string_view operation, std::size_t count, double documented) override
    {
        const double each = (spent_so_far() - began_) / static_cast<double>(count);
        fmt::print("{{\"operation\": \"{}\", \"n\": {}, \"ns\": {:.1f}, \"documented\": {}}}\n", operation,
            n_, each, documented);
        std::fflush(stdout);
    }

private:
    std::size_t n_;
    double began_ = 0;
};

}  // namespace

int main(int argc, char** argv)
{
    const std::size_t most = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
    for (const costar::growth::study& each : costar::growth::all_studies)
        for (std::size_t n = 1000; n <= each.most && n <= most; n *= 10) {
            stopwatch costs(n);
            costar::growth::run(each, costs, n);
        }
}
