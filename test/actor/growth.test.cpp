// SPDX-License-Identifier: MIT

// Goal: no operation costs more, among many other things, than its documentation says. Method: the library is
// compiled once more for this program, so that each branch it takes is counted; that is the same in every
// run, as a time is not. The exponent of the cost between a thousand things and sixteen thousand is compared
// with the documented one.

#include <growth_cases.hpp>

#include <costar/core/clock.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <support/catch.hpp>
#include <support/steps.hpp>

using namespace costar;

namespace {

struct cost {
    double each;
    double documented;
};

class step_counter final : public growth::meter {
public:
    void begin() override { began_ = support::steps(); }

    void end(std::string_view operation, std::size_t count, double documented) override
    {
        const auto spent = static_cast<double>(support::steps() - began_);
        costs[std::string(operation)] = {spent / static_cast<double>(count), documented};
    }

    std::map<std::string, cost> costs;

private:
    std::uint64_t began_ = 0;
};

std::map<std::string, cost> costs_of(const growth::study& what, std::size_t n)
{
    manual_clock clock(1'000'000'000);
    step_counter counter;
    growth::run(what, counter, n, &clock);
    return counter.costs;
}

}  // namespace

TEST_CASE("growth: no operation costs more than is documented", "[actor][growth]")
{
    constexpr std::size_t small = 1000;
    constexpr std::size_t large = 16'000;
    constexpr double logarithm = 0.15;  // of what is logarithmic: fourteen halvings instead of ten
    const growth::study& what = growth::all_studies[static_cast<std::size_t>(
        GENERATE(range(0, int(std::size(growth::all_studies)))))];

    const auto few = costs_of(what, small);
    const auto many = costs_of(what, large);

    REQUIRE(few.size() == many.size());
    for (const auto& [operation, cost] : many) {
        const double exponent =
            std::log(cost.each / few.at(operation).each) / std::log(double(large) / double(small));
        INFO(operation << ": " << few.at(operation).each << " steps among " << small << ", " << cost.each
                       << " among " << large << ", exponent " << exponent);
        CHECK(cost.each > 0);
        CHECK(exponent < cost.documented + logarithm);
        if (cost.documented == growth::linear)
            CHECK(exponent > cost.documented - logarithm);  // it would be seen
    }
}
