// SPDX-License-Identifier: MIT

#include <costar/kernel/reply_table.hpp>

#include <cstdint>
#include <set>
#include <vector>

#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;

namespace {

/// Waits for nothing in particular.
struct idle_waiter : reply_waiter {
    idle_waiter() : reply_waiter([](reply_waiter&, const message_type*, void*, errc) noexcept {}) {}
};

}  // namespace

TEST_CASE("reply_table: a token finds who waits, once", "[kernel][reply_table]")
{
    reply_table table(3);
    idle_waiter one;
    idle_waiter other;
    const std::uint64_t first = table.expect(one);
    const std::uint64_t second = table.expect(other);

    CHECK(first != second);
    CHECK(table.claim(second) == &other);
    CHECK(table.claim(second) == nullptr);
    CHECK(table.claim(first) == &one);
    CHECK(table.claim(first) == nullptr);
}

TEST_CASE("reply_table: a place that is used again has another token", "[kernel][reply_table]")
{
    reply_table table(0);
    idle_waiter one;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t token = table.expect(one);
        CHECK(seen.insert(token).second);
        CHECK(table.claim(token) == &one);
    }
    for (const std::uint64_t late : seen)
        CHECK(table.claim(late) == nullptr);
}

TEST_CASE("reply_table: a token says which strand gave it, and is no actor's key", "[kernel][reply_table]")
{
    reply_table here(3);
    reply_table there(4095);
    idle_waiter one;
    const std::uint64_t token = here.expect(one);

    CHECK(token != 0);
    CHECK(reply_table::is_token(token));
    CHECK(reply_table::strand_of(token) == 3);
    CHECK(here.is_own(token));
    CHECK_FALSE(there.is_own(token));
    CHECK(reply_table::strand_of(there.expect(one)) == 4095);
    CHECK_FALSE(reply_table::is_token(pid(7, 4095, 5, 1).key()));
    CHECK(reply_table::is_token(reply_table::nobodys));
}
