// SPDX-License-Identifier: MIT

#include "../../lib/remote/greeting.hpp"

#include <capnp/message.h>

#include <string>

#include <support/catch.hpp>

using namespace costar;
using remote::refusal;

namespace {

remote::greeting from_node(std::uint64_t life)
{
    return {.name = "node " + std::to_string(life), .life = life, .address = "a:1", .message_max = 1000};
}

refusal why_refused(const remote::greeting& theirs)
{
    refusal why{};
    CHECK_FALSE(remote::agree(from_node(1), theirs, why));
    return why;
}

}  // namespace

TEST_CASE("greeting: comes over as it was", "[remote][greeting]")
{
    capnp::MallocMessageBuilder message;
    auto written = message.initRoot<schema::Greeting>();
    from_node(5).write(written);
    const remote::greeting read = remote::greeting::read(written.asReader());
    CHECK(read.name == "node 5");
    CHECK(read.life == 5);
    CHECK(read.address == "a:1");
    CHECK(read.newest == remote::newest_protocol);
}

TEST_CASE(
    "greeting: two nodes agree on the newest that both speak, and on the smaller limit", "[remote][greeting]")
{
    remote::greeting theirs = from_node(2);
    theirs.newest = 7;
    theirs.message_max = 500;
    refusal why{};
    const auto agreed = remote::agree(from_node(1), theirs, why);
    REQUIRE(agreed);
    CHECK(agreed->protocol == remote::newest_protocol);
    CHECK(agreed->message_max == 500);
}

TEST_CASE("greeting: each refusal has its reason", "[remote][greeting]")
{
    remote::greeting newer = from_node(2);
    newer.oldest = 5;
    newer.newest = 6;
    CHECK(why_refused(newer) == refusal::no_common_protocol);
    CHECK(why_refused(from_node(1)) == refusal::is_itself);
    remote::greeting namesake = from_node(2);
    namesake.name = "node 1";
    CHECK(why_refused(namesake) == refusal::name_taken);
    for (const auto& spoil : {+[](remote::greeting& g) { g.life = 0; },
             +[](remote::greeting& g) { g.oldest = 9; }, +[](remote::greeting& g) { g.message_max = 0; },
             +[](remote::greeting& g) { g.name = std::string(256, 'x'); },
             // It would write lines of the log.
             +[](remote::greeting& g) { g.name = "a\nb"; }, +[](remote::greeting& g) { g.name = "\x1b[2J"; },
             +[](remote::greeting& g) { g.name = std::string(1, '\0'); },
             +[](remote::greeting& g) { g.unknown_features = 65; },
             +[](remote::greeting& g) { g.feature_bytes = 4097; }}) {
        remote::greeting broken = from_node(2);
        spoil(broken);
        CHECK(why_refused(broken) == refusal::malformed);
    }
}

TEST_CASE("greeting: features are counted, with the bytes of their values, as far as it may have them",
    "[remote][greeting]")
{
    for (const unsigned count : {0u, 1u, 64u, 65u, 1'000'000u}) {
        capnp::MallocMessageBuilder message;
        auto written = message.initRoot<schema::Greeting>();
        from_node(2).write(written);
        auto features = written.initFeatures(count);
        for (unsigned i = 0; i < count; ++i)
            features[i].setNumber(1000 + i);
        if (count != 0)
            features[count - 1].initValue(100);
        const remote::greeting read = remote::greeting::read(written.asReader());
        CHECK(read.unknown_features == count);
        CHECK_FALSE(read.elects);
        CHECK(read.feature_bytes == (count == 0 || count > 64 ? 0 : 100));
        if (count > 64)
            CHECK(why_refused(read) == refusal::malformed);
    }
}
