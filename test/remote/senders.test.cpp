// SPDX-License-Identifier: MIT

#include <costar/remote/senders.hpp>

#include <string>
#include <vector>

#include <support/catch.hpp>

#include "places.hpp"

using namespace costar;
using namespace support;

namespace {

bool may_send(const remote::senders& all, const std::vector<std::string>& names, std::uint64_t type)
{
    return all.permit(names).contains(type);
}

/// Two messages are for `a`, and the rest is for all.
remote::senders only_a()
{
    remote::senders allowed;
    allowed.add<more, greeting>(remote::peers{"a"});
    return allowed;
}

}  // namespace

TEST_CASE("senders: a message is for all, for those with a name, or for nobody", "[remote][senders]")
{
    const std::uint64_t adds = wire::schema_id<more>();
    const std::uint64_t asks = wire::schema_id<total>();
    const std::uint64_t greets = wire::schema_id<greeting>();
    const remote::senders all;
    CHECK(may_send(all, {"a"}, adds));
    CHECK(may_send(all, {}, adds));

    remote::senders some;
    some.add<more>(remote::peers{"a", "b"}).add<total>(false);
    for (const char* const name : {"a", "b"}) {
        CHECK(may_send(some, {name}, adds));
        CHECK_FALSE(may_send(some, {name}, asks));
        CHECK(may_send(some, {name}, greets));
    }
    CHECK_FALSE(may_send(some, {"c"}, adds));
    CHECK_FALSE(may_send(some, {""}, adds));
    CHECK_FALSE(may_send(some, {}, adds));
    CHECK(may_send(some, {"c", "a"}, adds));  // by one of its names
    CHECK(may_send(some, {}, greets));

    // What is not named is for some, or nobody.
    some.others(remote::peers{"a"}).add<greeting>(remote::anyone);
    CHECK(may_send(some, {"a"}, 4711));
    CHECK_FALSE(may_send(some, {"b"}, 4711));
    CHECK(may_send(some, {"b"}, greets));
    CHECK(may_send(some, {}, greets));
    some.add<greeting>(false).others(false);  // the last word
    CHECK_FALSE(may_send(some, {"a"}, greets));
    CHECK_FALSE(may_send(some, {"a"}, 4711));
    CHECK(may_send(some, {"a"}, adds));
}

TEST_CASE(
    "senders: a node takes from each peer what that may send, and tells of the rest", "[remote][senders]")
{
    place there({.listen = "127.0.0.1:0", .sent_by = only_a()});
    there.actors.spawn("host", host);
    there.actors.spawn("adder", adder);
    heard<dead_letter> lost(there.actors);
    heard<remote::peer_denied> denied(there.actors);
    place a({.name = "a"});
    place b({.name = "b"});

    const pid by_a = a.find(there, "adder");
    a.actors.send(by_a, more{5});
    CHECK(a.ask(by_a, total{}) == 5);
    CHECK(a.ask(a.find(there, "host"), greeting{"a"}) == "hello a");

    const pid by_b = b.find(there, "adder");
    b.actors.send(by_b, more{6});
    b.actors.send(by_b, more{7});
    CHECK(b.ask(by_b, total{}) == 5);
    CHECK(lost.count() == 2);
    CHECK(lost.comes([&](const dead_letter& each) { return each.reason == errc::not_permitted; }));
    CHECK(there.node.counters().lost == 2);
    const pid far_host = b.find(there, "host");
    CHECK(failure_of([&] { b.ask(far_host, greeting{"b"}); }) == errc::not_permitted);
    const std::string large(200'000, 'x');
    CHECK(failure_of([&] { b.ask(far_host, greeting{large}); }) == errc::not_permitted);  // in parts

    // Once for each kind of message.
    CHECK(denied.count() == 2);
    CHECK(denied.comes([](const remote::peer_denied& each) {
        return each.name == "b" && each.what == "send the message support::more";
    }));

    // Answers to the node's own requests are not meant.
    place answering({.name = "c", .listen = "127.0.0.1:0"});
    answering.actors.spawn("adder", adder);
    CHECK(there.ask(there.find(answering, "adder"), total{}) == 0);
}

TEST_CASE("senders: what is not named may be for nobody", "[remote][senders]")
{
    remote::senders allowed;
    allowed.add<total>(remote::anyone).add<more>(remote::peers{"a"}).others(false);
    place there({.listen = "127.0.0.1:0", .sent_by = allowed});
    there.actors.spawn("host", host);
    there.actors.spawn("adder", adder);
    place a({.name = "a"});
    place nameless;
    CHECK(a.ask(a.find(there, "adder"), total{}) == 0);
    CHECK(nameless.ask(nameless.find(there, "adder"), total{}) == 0);
    CHECK(failure_of([&] { a.ask(a.find(there, "host"), greeting{"a"}); }) == errc::not_permitted);
}
