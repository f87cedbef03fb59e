// SPDX-License-Identifier: MIT

#include "../../lib/remote/peer_book.hpp"

#include <cstdint>

#include <support/catch.hpp>

using namespace costar;

namespace {

const pid some_link(1, 0, 1, 1);
const pid other_link(1, 0, 2, 1);

}  // namespace

TEST_CASE("peer_book: a life has one number, and gets what is heard of it later", "[remote][peer_book]")
{
    remote::peer_book book(10);
    const auto first = book.enter(77, {});
    const auto again = book.enter_greeted(77, "127.0.0.1:1", "a");
    const auto other = book.enter(78, "127.0.0.1:1");

    CHECK(first->number == again->number);
    CHECK(again->address == "127.0.0.1:1");
    CHECK(again->name == "a");
    CHECK(book.enter(77, "elsewhere:1")->address == "127.0.0.1:1");  // others are not believed
    CHECK(other->number != first->number);
    CHECK(book.find(other->number).to->life == 78);
    CHECK(book.find(other->number + 1000).to == nullptr);
}

TEST_CASE("peer_book: there is an end to lives, and those with a link stay", "[remote][peer_book]")
{
    remote::peer_book book(32);
    const auto linked = book.enter_greeted(1, "a:1", "a");
    book.greeted(linked->number, pid(1, 7), false);
    // Honest peers that come and go.
    for (std::uint64_t life = 100; life < 1000; ++life)
        CHECK(book.enter_greeted(life, {}, "client") != nullptr);
    CHECK(book.enter_greeted(1, "a:1", "a")->number == linked->number);
    CHECK(book.find(linked->number).to != nullptr);
    CHECK(book.enter(999, {})->is_met);
    CHECK_FALSE(book.enter(100, {}, 5)->is_met);  // forgotten, and heard of anew

    // One that tells of a thousand pushes out what it has told itself, and nothing else.
    const auto third = book.enter(5000, "c:1", 8);
    for (std::uint64_t life = 10'000; life < 11'000; ++life)
        CHECK(book.enter(life, {}, 9) != nullptr);
    CHECK(book.enter(5000, {}, 8)->number == third->number);
    CHECK(book.find(linked->number).to != nullptr);

    // Where all have links there is no room.
    remote::peer_book full(1);
    full.greeted(full.enter_greeted(1, {}, {})->number, pid(1, 7), false);
    CHECK(full.enter_greeted(2, {}, {}) == nullptr);
}

TEST_CASE("peer_book: who was first has the link, until it is forgotten", "[remote][peer_book]")
{
    remote::peer_book book(10);
    const std::uint32_t node = book.enter(77, {})->number;
    CHECK(book.claim("a:1", node, some_link) == some_link);
    CHECK(book.claim("a:1", node, other_link) == some_link);
    CHECK(book.greeted(node, other_link, false).empty());  // what was sent before stays in front
    CHECK(book.find(node).link == some_link);
    CHECK(book.links().size() == 1);

    book.forget(some_link);
    CHECK_FALSE(book.find(node).link);
    book.forget_dialling(some_link);
    CHECK_FALSE(book.join("a:1", 0));
    CHECK(book.claim("a:1", 0, other_link) == other_link);

    // One that has ended before it was claimed is not entered.
    book.forget_dialling(other_link);
    book.forget_dialling(some_link);
    CHECK(book.claim("a:1", 0, some_link) == some_link);
    CHECK_FALSE(book.join("a:1", 0));
}

TEST_CASE("peer_book: where the peer dials again its former link is dead", "[remote][peer_book]")
{
    remote::peer_book book(10);
    const std::uint32_t node = book.enter(77, {})->number;
    CHECK(book.greeted(node, some_link, false).empty());
    CHECK(book.greeted(node, other_link, false) == std::vector{some_link});
    CHECK(book.find(node).link == other_link);
    CHECK(book.greeted(node, some_link, true).empty());
    CHECK(book.find(node).link == other_link);
}

TEST_CASE("peer_book: a watch belongs to the link that it came across last", "[remote][peer_book]")
{
    remote::peer_book book(10);
    const remote::watch_across watch{pid(1, 1, 1, 1), {pid(2, 2, 2, 2), false}};
    book.route(watch, some_link);
    book.route(watch, other_link);
    CHECK(book.route_of(watch) == other_link);
    CHECK_FALSE(book.unroute(watch, some_link));
    CHECK(book.unroute(watch, other_link));
    CHECK_FALSE(book.route_of(watch));
}

TEST_CASE(
    "peer_book: an address rests longer each time, up to a limit, until it is reached", "[remote][peer_book]")
{
    remote::peer_book book(10);
    CHECK_FALSE(book.rests("a:1", 0));
    std::uint64_t now = 1000;
    for (const std::uint64_t length : {10, 20, 40, 50, 50}) {
        book.rest("a:1", now, 10, 50);
        CHECK(book.rests("a:1", now + length - 1));
        CHECK_FALSE(book.rests("a:1", now + length));
        now += length;
    }
    book.reached("a:1");
    book.rest("a:1", now, 10, 50);
    CHECK_FALSE(book.rests("a:1", now + 10));
    CHECK_FALSE(book.rests("b:1", now));

    // A part is left to chance, and what has long been over is forgotten.
    book.rest("c:1", 0, 1000, 1000, 249);
    CHECK(book.rests("c:1", 750));
    CHECK_FALSE(book.rests("c:1", 751));
    for (std::uint64_t i = 0; i < 20'000; ++i)
        book.rest("d:" + std::to_string(i), i, 10, 10);
    CHECK(book.rests("d:19999", 20'000));
}

TEST_CASE("peer_book: a node that tells of others may itself be forgotten meanwhile", "[remote][peer_book]")
{
    remote::peer_book book(1);
    const auto teller = book.enter_greeted(1, {}, "teller");
    CHECK(book.enter(2, {}, teller->number) != nullptr);
    CHECK(book.find(teller->number).to == nullptr);
}

TEST_CASE("peer_book: a link that is not there any more is not used", "[remote][peer_book]")
{
    remote::peer_book book(10);
    const std::uint32_t node = book.enter(77, {})->number;
    CHECK(book.join("a:1", node) == pid());
    CHECK(book.claim("a:1", 0, some_link) == some_link);
    CHECK(book.join("a:1", node) == some_link);
    CHECK(book.find(node).link == some_link);
    book.forget_dialling(some_link);
    CHECK(book.join("a:1", node) == pid());
    CHECK(book.find(node).link == pid());
}

TEST_CASE("peer_book: a known life keeps its name", "[remote][peer_book]")
{
    remote::peer_book book(10);
    CHECK(book.may_be(1, "a"));
    book.enter(1, {});  // by hearsay
    CHECK(book.may_be(1, "a"));
    book.enter_greeted(1, {}, "a");
    CHECK(book.may_be(1, "a"));
    CHECK_FALSE(book.may_be(1, "b"));
    CHECK_FALSE(book.may_be(1, ""));
}

TEST_CASE("peer_book: a link takes messages when the one before it has ended", "[remote][peer_book]")
{
    remote::peer_book book(10);
    const std::uint32_t node = book.enter(77, {})->number;
    CHECK_FALSE(book.take_over(node, {}, {some_link, 3}).link);
    CHECK_FALSE(book.take_over(node, {}, {some_link, 3}).link);  // it does already
    CHECK(book.take_over(node, {}, {other_link, 4}).link == some_link);
    CHECK(book.take_over(node, {}, {other_link, 4}).number == 3);
    CHECK_FALSE(book.take_over(node, some_link, {other_link, 4}).link);
    CHECK(book.take_over(node, some_link, {some_link, 3}).number == 4);  // another one was faster
}
