// SPDX-License-Identifier: MIT

#include <costar/remote/refusal.hpp>

#include <set>
#include <string>

#include <support/catch.hpp>

using namespace costar;
using remote::refusal;

TEST_CASE("refusal: each has words of its own, one of a later release its number", "[remote][refusal]")
{
    std::set<std::string> all;
    for (std::uint16_t number = 0; number < 11; ++number)
        all.insert(remote::text_of(static_cast<refusal>(number)));
    CHECK(all.size() == 11);
    CHECK(remote::text_of(refusal::name_taken).find("name") != std::string::npos);
    CHECK(remote::text_of(static_cast<refusal>(99)) == "reason 99");
}
