// SPDX-License-Identifier: MIT

#include <costar/wire/values.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include <support/catch.hpp>

#include "travel.hpp"

using namespace costar;
using namespace support;

static_assert(wire::travels<int> && wire::travels<std::monostate> && wire::travels<greeting>);
static_assert(!wire::mapped<char> && !wire::mapped<wchar_t> && !wire::mapped<const char*>);

namespace {

struct local_only {};
struct asks_for_local {
    using reply = local_only;
};

template <class Value>
void comes_back(const Value& value)
{
    CHECK(travelled<Value>(value) == value);
}

}  // namespace

template <>
struct costar::wire::mapping<asks_for_local> {
    using schema = costar::schema::Nothing;
};

static_assert(!wire::travels<local_only> && !wire::travels<asks_for_local>);

TEST_CASE("values: plain ones come back as they were", "[wire][values]")
{
    comes_back(true);
    comes_back(std::int8_t{-5});
    comes_back(std::numeric_limits<std::int64_t>::min());
    comes_back(std::numeric_limits<std::uint64_t>::max());
    comes_back(0.1);
    comes_back(0.5F);
    comes_back(std::monostate{});
    comes_back(std::string("a\0b", 3));
    comes_back(std::string());
    comes_back(std::vector<std::byte>{std::byte{0}, std::byte{255}});
    comes_back(std::vector<unsigned char>{});
    comes_back(pid(7, 1, 2, 3));
    comes_back(pid());
    comes_back(touched{pid(7, 1, 2, 3)});
}

TEST_CASE("values: a number that does not fit is refused, and never cut", "[wire][values]")
{
    CHECK(travelled<std::int8_t>(127) == 127);
    for (const int value : {128, -129, std::numeric_limits<int>::max()}) {
        std::string why;
        try {
            travelled<std::int8_t>(value);
        } catch (const error& refused) {
            CHECK(refused.code() == errc::malformed);
            why = refused.what();
        }
        CHECK(why.find("too large") != std::string::npos);
    }
    CHECK_THROWS_AS(travelled<std::uint32_t>(std::uint64_t{1} << 32), error);
}
