// SPDX-License-Identifier: MIT

#include <costar/ground/stray.hpp>

#include <support/catch.hpp>

#include <vector>

namespace {

class noting_stray final : public costar::machine::stray {
public:
    noting_stray(int number, std::vector<int>& destroyed)
        : stray([](stray& self) noexcept { delete static_cast<noting_stray*>(&self); }),
          number_(number),
          destroyed_(destroyed)
    {}
    ~noting_stray() { destroyed_.push_back(number_); }
    using stray::forget;

private:
    int number_;
    std::vector<int>& destroyed_;
};

}  // namespace

TEST_CASE("stray: those that have not ended are destroyed, the newest first", "[ground][stray]")
{
    std::vector<int> destroyed;
    costar::machine::stray_list strays;
    auto* ended = new noting_stray(1, destroyed);
    strays.keep(*new noting_stray(0, destroyed));
    strays.keep(*ended);
    strays.keep(*new noting_stray(2, destroyed));

    delete ended;
    strays.destroy_all();

    CHECK(destroyed == std::vector<int>{1, 2, 0});
}

TEST_CASE("stray: one that has found an owner is left to it", "[ground][stray]")
{
    std::vector<int> destroyed;
    costar::machine::stray_list strays;
    noting_stray owned(0, destroyed);
    strays.keep(owned);

    owned.forget();
    strays.destroy_all();

    CHECK(destroyed.empty());
}
