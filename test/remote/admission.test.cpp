// SPDX-License-Identifier: MIT

#include "../../lib/remote/admission.hpp"

#include "../../lib/remote/refusal_log.hpp"

#include <costar/remote/node.hpp>

#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <support/catch.hpp>

#include "authority.hpp"
#include "places.hpp"

using namespace costar;
using namespace support;
using remote::refusal;

namespace {

remote::node_options node_called(const std::string& name, std::vector<std::string> allowed = {})
{
    return {.name = name, .listen = "127.0.0.1:0", .allowed = std::move(allowed)};
}

bool is_told(heard<remote::peer_refused>& where, refusal number, const std::string& name, bool by_peer)
{
    return where.comes([&](const remote::peer_refused& each) {
        return each.number == number && each.by_peer == by_peer && (by_peer || each.name == name) &&
            !each.reason.empty();
    });
}

}  // namespace

TEST_CASE(
    "admission: who is not allowed is not let in, whoever dials, and both are told", "[remote][admission]")
{
    place guarded(node_called("guarded", {"friend"}));
    place friendly(node_called("friend"));
    place stranger(node_called("stranger"));
    place nameless;
    for (place* each : {&guarded, &friendly, &stranger, &nameless})
        each->actors.spawn("host", host);
    heard<remote::peer_refused> of_guarded(guarded.actors);
    heard<remote::peer_refused> of_stranger(stranger.actors);
    heard<remote::peer_refused> of_nameless(nameless.actors);

    CHECK(friendly.ask(friendly.find(guarded, "host"), greeting{"x"}) == "hello x");
    CHECK(cannot_find(stranger, guarded.node.address()));
    CHECK(is_told(of_guarded, refusal::unknown_peer, "stranger", false));
    CHECK(is_told(of_stranger, refusal::unknown_peer, "", true));
    CHECK(cannot_find(nameless, guarded.node.address()));
    CHECK(is_told(of_nameless, refusal::unknown_peer, "", true));

    // What it dials itself is held against the list as well.
    const std::size_t before = of_stranger.count();
    CHECK(cannot_find(guarded, stranger.node.address()));
    CHECK(of_guarded.count() >= 3);
    CHECK(of_stranger.comes_after(before));
    CHECK(stranger.node.peers().empty());     // it would have let that one in
    CHECK(guarded.node.peers().size() == 1);  // the friend
    CHECK(guarded.ask(guarded.find(friendly, "host"), greeting{"x"}) == "hello x");
}

TEST_CASE("admission: a function says who is let in", "[remote][admission]")
{
    remote::node_options options = node_called("guarded");
    options.allows = [](const std::string& name) { return name.starts_with("good"); };
    place guarded(options);
    guarded.actors.spawn("host", host);
    place good(node_called("good one"));
    place bad(node_called("bad one"));
    CHECK(good.ask(good.find(guarded, "host"), greeting{"x"}) == "hello x");
    CHECK(cannot_find(bad, guarded.node.address()));
}

TEST_CASE(
    "admission: a function that throws lets nobody in, and tells no stranger why", "[remote][admission]")
{
    std::mutex mutex;
    std::vector<std::string> lines;
    set_log_sink([&](log_level level, std::string_view line) {
        const std::lock_guard lock(mutex);
        if (level >= log_level::warning)
            lines.emplace_back(line);
    });
    {
        remote::node_options options = node_called("guarded");
        options.allows = [](const std::string& name) -> bool {
            if (name.starts_with("odd"))
                throw std::runtime_error("the secret of this program");
            return true;
        };
        place guarded(options);
        guarded.actors.spawn("host", host);
        heard<remote::peer_refused> of_guarded(guarded.actors);
        for (const char* name : {"odd one", "odd other"}) {
            place odd({.name = name});
            heard<remote::peer_refused> of_odd(odd.actors);
            heard<remote::peer_lost> lost(odd.actors);
            CHECK(cannot_find(odd, guarded.node.address()));
            CHECK(is_told(of_guarded, refusal::unknown_peer, name, false));
            CHECK(is_told(of_odd, refusal::unknown_peer, "", true));
            CHECK(lost.comes([](const remote::peer_lost& each) {
                return !each.reason.empty() && each.reason.find("secret") == std::string::npos;
            }));
        }
        place good(node_called("good"));
        CHECK(good.ask(good.find(guarded, "host"), greeting{"x"}) == "hello x");
    }
    set_log_sink({});
    REQUIRE(lines.size() == 1);
    CHECK(lines.front().find("allows has thrown") != std::string::npos);
    CHECK(lines.front().find("the secret of this program") != std::string::npos);
}

TEST_CASE("admission: a name is that of one living node", "[remote][admission]")
{
    place there;
    there.actors.spawn("host", host);
    heard<remote::peer_refused> of_there(there.actors);
    heard<remote::peer_lost> lost(there.actors);
    std::optional<place> first(std::in_place, node_called("worker"));
    CHECK(first->ask(first->find(there, "host"), greeting{"x"}) == "hello x");

    place second(node_called("worker"));
    heard<remote::peer_refused> of_second(second.actors);
    CHECK(cannot_find(second, there.node.address()));
    CHECK(is_told(of_there, refusal::name_taken, "worker", false));
    CHECK(is_told(of_second, refusal::name_taken, "", true));
    CHECK(first->ask(first->find(there, "host"), greeting{"y"}) == "hello y");

    // It is free when that one is gone.
    const std::size_t before = lost.count();
    first.reset();
    CHECK(lost.comes_after(before));
    CHECK(second.ask(second.find(there, "host"), greeting{"z"}) == "hello z");
}

TEST_CASE("admission: two living nodes that advertise one address are told", "[remote][admission]")
{
    const auto advertising = [](const std::string& name) {
        return remote::node_options{
            .name = name, .listen = "127.0.0.1:0", .advertised = "somewhere.invalid:4711"};
    };
    const auto is_shared = [](heard<remote::address_shared>& by, const std::string& name,
                               const std::string& other) {
        return by.comes([&](const remote::address_shared& each) {
            return each.address == "somewhere.invalid:4711" && each.name == name && each.other == other;
        });
    };
    place there({.name = "there", .listen = "127.0.0.1:0"});
    there.actors.spawn("host", host);
    place first(advertising("first"));
    place second(advertising("second"));
    heard<remote::address_shared> of_there(there.actors);
    heard<remote::address_shared> of_first(first.actors);
    heard<remote::address_shared> of_second(second.actors);
    CHECK(first.ask(first.find(there, "host"), greeting{"1"}) == "hello 1");
    CHECK(of_there.count() == 0);

    // By a third one that both have greeted, and to the second of them.
    CHECK(second.ask(second.find(there, "host"), greeting{"2"}) == "hello 2");
    CHECK(is_shared(of_there, "second", "first"));
    CHECK(is_shared(of_second, "second", ""));
    CHECK(first.ask(first.find(there, "host"), greeting{"3"}) == "hello 3");  // its link stays
    CHECK(of_there.count() == 1);

    // By both, where they greet each other.
    const folder files;
    const std::string socket = "unix:" + (files / "x.sock");
    place third({.name = "third", .listen = socket, .advertised = "somewhere.invalid:4711"});
    place fourth(advertising("fourth"));
    heard<remote::address_shared> of_third(third.actors);
    heard<remote::address_shared> of_fourth(fourth.actors);
    third.actors.spawn("host", host);
    CHECK(fourth.ask(fourth.node.find(socket + ":/host", boost::asio::use_future).get(), greeting{"4"}) ==
        "hello 4");
    CHECK(is_shared(of_third, "fourth", "third"));
    CHECK(is_shared(of_fourth, "third", "fourth"));
}

TEST_CASE("admission: a node that begins anew where it was has its name at once", "[remote][admission]")
{
    remote::peer_book book(100);
    const pid link(1, 0, 1, 1);
    const pid other(1, 0, 2, 1);
    CHECK(book.take_name("a", 1, "a:1", link));
    CHECK(book.take_name("a", 1, "a:1", other));
    CHECK_FALSE(book.take_name("a", 2, "b:1", other));
    CHECK_FALSE(book.take_name("a", 2, "", other));
    CHECK(book.take_name("", 2, "", other));
    CHECK(book.take_name("a", 3, "a:1", other));  // its former life may still seem to be there
    CHECK_FALSE(book.take_name("a", 2, "b:1", link));
    book.forget(other);
    CHECK(book.take_name("a", 2, "b:1", link));
}

TEST_CASE("admission: who knocks again and again is a line a minute in the log", "[remote][admission]")
{
    constexpr std::uint64_t minute = remote::refusal_log::interval;
    remote::refusal_log lines;
    CHECK(lines.note(5, "a", "a is refused") == "a is refused");
    for (std::uint64_t i = 0; i < 1000; ++i)
        CHECK_FALSE(lines.note(6 + i, "a", "a is refused"));
    CHECK(lines.note(7, "b", "b is refused") == "b is refused");
    CHECK(lines.note(5 + minute, "a", "a is refused") == "a is refused, and 1000 times more before");

    // However many there are, it keeps few; those that are beyond count as one.
    std::size_t written = 0;
    for (int i = 0; i < 10'000; ++i)
        written += lines.note(6 + minute, "name " + std::to_string(i), "x").has_value() ? 1 : 0;
    CHECK(written <= remote::refusal_log::lines_max);
}

TEST_CASE("admission: a node that anybody can reach says so at its start, once", "[remote][admission]")
{
    std::mutex mutex;
    std::vector<std::string> warnings;
    set_log_sink([&](log_level level, std::string_view line) {
        const std::lock_guard lock(mutex);
        if (level == log_level::warning)
            warnings.emplace_back(line);
    });
    {
        const place within;
        const place open({.listen = "0.0.0.0:0", .advertised = "127.0.0.1:1"});
    }
    set_log_sink({});
    REQUIRE(warnings.size() == 1);
    CHECK(warnings.front().find("tls_transport") != std::string::npos);
}
