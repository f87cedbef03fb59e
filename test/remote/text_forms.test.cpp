// SPDX-License-Identifier: MIT

#include <costar/remote/node.hpp>

#include <optional>
#include <stdexcept>
#include <thread>

#include <support/catch.hpp>

#include "../../lib/remote/switchboard.hpp"
#include "places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;
using boost::asio::use_future;

namespace {

pid found(place& here, const std::string& text)
{
    return here.node.find(text, use_future).get();
}

remote::peer_book& book_of(place& here)
{
    return (*here.actors.extensions().find<std::shared_ptr<remote::switchboard>>())->book();
}

/// Answers once.
task<> brief_host(context& self)
{
    message m = co_await self.receive();
    m.match([](const greeting& said) { return "brief " + said.name; });
}

}  // namespace

TEST_CASE("text forms: an actor of another node is named by address and name, or by node and name",
    "[remote][text_forms]")
{
    place here({.name = "here", .listen = "127.0.0.1:0"});
    place there({.name = "there", .listen = "127.0.0.1:0"});
    const pid native = there.actors.spawn("host", host);
    const pid far = here.find(there, "host");

    CHECK(here.node.text_of(far) == there.node.address() + "/host");
    CHECK(there.node.text_of(native) == there.node.address() + "/host");
    CHECK(found(here, here.node.text_of(far)) == far);
    CHECK(found(here, "there/host") == far);
    CHECK(found(there, "there/host") == native);
    CHECK(found(there, there.node.text_of(native)) == native);
    CHECK(failure_of([&] { found(here, "there/nobody"); }) == errc::no_such_actor);
    CHECK(failure_of([&] { found(here, "elsewhere/host"); }) == errc::unreachable);
    CHECK(failure_of([&] { found(there, "there/nobody"); }) == errc::no_such_actor);
    for (const char* wrong : {"there", "/host", "there/", "a:b/host"})
        CHECK_THROWS_AS(here.node.find(wrong, use_future), std::invalid_argument);
}

TEST_CASE("text forms: an actor without a name, and one of a node that does not listen, have them too",
    "[remote][text_forms]")
{
    place there({.name = "there", .listen = "127.0.0.1:0"});
    const pid nameless = there.actors.spawn(host);
    const std::string text = there.node.text_of(nameless);
    CHECK(text.starts_with(there.node.address() + "/$"));
    CHECK(found(there, text) == nameless);
    {
        place client({.name = "client"});
        client.actors.spawn("host", host);
        const pid far = found(client, text);
        CHECK(client.ask(far, greeting{"x"}) == "hello x");
        CHECK(client.node.text_of(far) == text);
        CHECK(found(there, "client/host") == there.node.find("client/host", use_future).get());
        CHECK(there.node.text_of(found(there, "client/host")) == "client/host");
    }
    // It says of which life it is.
    std::optional<place> other(std::in_place, remote::node_options{.listen = "127.0.0.1:0"});
    const std::string address = other->node.address();
    const std::string old = other->node.text_of(other->actors.spawn(host));
    other.reset();
    other.emplace(remote::node_options{.listen = address});
    other->actors.spawn("host", host);
    CHECK(failure_of([&] { there.ask(found(there, old), greeting{"x"}); }) == errc::no_such_actor);
    // Who is known to nobody.
    CHECK(there.node.text_of(pid(4'000'000'000, 1, 2, 3)) == "4000000000/$1-2-3");
    CHECK(there.node.text_of(pid()) == "0/$0-0-0");
}

TEST_CASE(
    "text forms: who was found is remembered until it ends, and found anew then", "[remote][text_forms]")
{
    place here;
    place there;
    const pid first = there.actors.spawn("host", brief_host);
    const pid far = here.find(there, "host");
    const auto known_here = [&] {
        const auto board = here.actors.extensions().find<std::shared_ptr<remote::switchboard>>();
        return (*board)->names().name_of(far);
    };
    CHECK(known_here() == "host");
    CHECK(here.find(there, "host") == far);

    // By whoever waits for its end,
    auto ends = here.actors.wait(far, use_future);
    there.actors.stop(first, use_future).get();
    ends.get();
    const pid near_second = there.actors.spawn("host", brief_host);
    const pid second = here.find(there, "host");
    CHECK(second != far);
    // by a request that finds it gone,
    CHECK(here.ask(second, greeting{"a"}) == "brief a");
    there.actors.wait(near_second, use_future).get();
    static_cast<void>(failure_of([&] { here.ask(second, greeting{"b"}); }));
    const pid near_third = there.actors.spawn("host", host);
    const pid third = here.find(there, "host");
    CHECK(here.ask(third, greeting{"c"}) == "hello c");
    // and by nobody: the link itself watches it.
    there.actors.stop(near_third, use_future).get();
    there.actors.spawn("host", brief_host);
    while (here.find(there, "host") == third)
        std::this_thread::yield();
    CHECK(here.ask(here.find(there, "host"), greeting{"d"}) == "brief d");
}

TEST_CASE("text forms: what was found is forgotten with the life of its node", "[remote][text_forms]")
{
    place here;
    std::optional<place> there(std::in_place, remote::node_options{.name = "there", .listen = "127.0.0.1:0"});
    const std::string address = there->node.address();
    there->actors.spawn("host", host);
    const pid old = here.find(address, "host");
    CHECK(found(here, "there/host") == old);
    heard<remote::peer_lost> lost(here.actors);
    there.reset();
    CHECK(lost.comes());
    there.emplace(remote::node_options{.name = "there", .listen = address});
    there->actors.spawn("host", host);
    const pid young = here.find(address, "host");
    CHECK(young != old);
    CHECK(found(here, "there/host") == young);
    CHECK(here.node.text_of(young) == address + "/host");
    CHECK(here.node.text_of(old).starts_with(address + "/$"));
}

TEST_CASE(
    "text_forms: a node that calls itself as an address gets nothing that is for it", "[remote][text_forms]")
{
    place here;
    place there;
    there.actors.spawn("host", host);
    book_of(here).enter_greeted(5, "127.0.0.1:1", there.node.address());  // as if they had met
    CHECK(here.ask(here.find(there.node.address(), "host"), greeting{"x"}) == "hello x");
}

TEST_CASE("text forms: a name of a node that would be read as something else is none", "[remote][text_forms]")
{
    for (const std::string& wrong : {std::string("a/b"), std::string("a/"), std::string("127.0.0.1:9"),
             std::string("[::1]:5"), std::string("unix:/x"), std::string("unix:"), std::string("a\nb"),
             std::string("a\0b", 3), std::string(256, 'x')})
        CHECK_THROWS_AS(place({.name = wrong}), std::invalid_argument);
    CHECK(holds(why_not({.name = "a/b"}), "node_options::name"));
    for (const std::string& right : {std::string("a b"), std::string("a:b"), std::string("$1"),
             std::string("127.0.0.1"), std::string(255, 'x')}) {
        place here;
        place client({.name = right});
        client.actors.spawn("host", host);
        here.actors.spawn("host", host);
        const pid near = client.find(here, "host");  // they meet
        CHECK(client.ask(near, greeting{"x"}) == "hello x");
        const pid far = found(here, right + "/host");
        CHECK(here.node.text_of(far) == right + "/host");
    }
    // Another release may greet with one.
    place here;
    std::uint64_t life = 0;
    for (const char* name : {"a/b", "127.0.0.1:9", "unix:/x", "", "plain"}) {
        const pid who(book_of(here).enter_greeted(++life, "", name)->number, 1, 2, 3);
        const bool is_read = name == std::string("plain");
        CHECK(here.node.text_of(who) == (is_read ? "plain/$1-2-3-5" : who.to_string()));
    }
}

TEST_CASE("text forms: an actor that is called like the place of another one is named by its own",
    "[remote][text_forms]")
{
    place here;
    place there;
    for (const std::string name : {"$0-1-1-5", "$0-1-1-0", "$x"}) {
        const pid native = there.actors.spawn({.name = name}, host);
        const pid far = here.find(there, name);
        CHECK(found(here, here.node.text_of(far)) == far);
        CHECK(found(here, there.node.text_of(native)) == far);
        CHECK(found(there, there.node.text_of(native)) == native);
    }
}
