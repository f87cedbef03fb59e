// SPDX-License-Identifier: MIT

// How many may connect, and who makes room.

#include "../../lib/remote/visitors.hpp"

#include <costar/remote/node.hpp>
#include <costar/remote/refusal.hpp>
#include <costar/rpc/connection.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <support/catch.hpp>

#include <costar/node.capnp.h>

#include "calls.hpp"
#include "crowd.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;

namespace {

/// Connects, and says nothing.
class mute {
public:
    explicit mute(const place& there) { socket_.connect(endpoint_of(there)); }

    bool is_closed()
    {
        char byte = 0;
        boost::system::error_code failed;
        socket_.non_blocking(true);
        socket_.receive(boost::asio::buffer(&byte, 1), 0, failed);
        return failed != boost::asio::error::would_block;
    }

private:
    boost::asio::io_context io_;
    tcp::socket socket_{io_};
};

/// So many more, each of which has its actor.
void add_mutes(std::deque<mute>& all, place& there, std::size_t count)
{
    const auto before = there.actors.figures().live;
    for (std::size_t i = 0; i < count; ++i)
        all.emplace_back(there);
    REQUIRE(comes_true([&] { return there.actors.figures().live == before + count; }));
}

/// Where programs that are no nodes run.
struct loop_of_programs {
    boost::asio::io_context io;
    rpc::event_loop loop{io.get_executor()};
};

class program {
public:
    program(const place& there, loop_of_programs& here) : io_(here.io)
    {
        tcp::socket socket(io_);
        socket.connect(endpoint_of(there));
        calls_.emplace(rpc::connection::client(rpc::make_stream(std::move(socket))));
    }

    /// What its call fails with, nothing where it is served.
    std::string said()
    {
        auto find = calls_->bootstrap<schema::Node>().actorRequest();
        find.setName("host");
        return said_of(io_, find.send());
    }

private:
    boost::asio::io_context& io_;
    std::optional<rpc::connection> calls_;
};

std::uint64_t resident_bytes()
{
    std::ifstream from("/proc/self/statm");
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    from >> all >> resident;
    return resident * 4096;
}

constexpr std::uint64_t ten_thousand = 10'000;

/// What one of them may take. Sanitizers keep a good deal beside.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t bytes_of_each = 512 * 1024;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::uint64_t bytes_of_each = 512 * 1024;
#else
constexpr std::uint64_t bytes_of_each = 128 * 1024;  // all of its buffer, where malloc is told to write to it
#endif
#else
constexpr std::uint64_t bytes_of_each = 128 * 1024;  // all of its buffer, where malloc is told to write to it
#endif

/// As many as the file limit leaves; says so where these are not ten thousand.
std::uint64_t number_to_try(std::uint64_t left)
{
    if (left < ten_thousand)
        WARN(fmt::format(
            "the file limit leaves {} connections to be tried instead of {}", left, ten_thousand));
    return std::min(left, ten_thousand);
}

}  // namespace

TEST_CASE("visitors: places are given back, and the first that is silent is dismissed", "[remote][visitors]")
{
    remote::visitors all(2);
    auto first = all.take("a");
    auto second = all.take("b");
    REQUIRE(first != nullptr);
    REQUIRE(second != nullptr);
    CHECK(all.take("c") == nullptr);
    CHECK_FALSE(all.dismiss());  // nobody has them yet
    first->belongs_to(pid(0, 0, 1, 1));
    second->belongs_to(pid(0, 0, 2, 1));
    CHECK(first->becomes_node());
    CHECK(all.dismiss()->address == "b");
    CHECK_FALSE(all.dismiss());
    CHECK_FALSE(second->becomes_node());
    CHECK_FALSE(second->becomes_client());
    CHECK(all.take("c") == nullptr);  // it is still there
    second.reset();
    CHECK(all.take("c") != nullptr);
}

TEST_CASE("visitors: programs have three quarters of the places", "[remote][visitors]")
{
    remote::visitors all(4);
    std::deque<std::shared_ptr<remote::visitors::place>> there;
    for (std::uint32_t i = 0; i < 4; ++i) {
        there.push_back(all.take("x"));
        there.back()->belongs_to(pid(0, 0, i, 1));
    }
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(there[i]->becomes_client());
    CHECK_FALSE(there[3]->becomes_client());
    CHECK(there[0]->becomes_client());
    there.pop_front();
    CHECK(there.back()->becomes_client());
}

TEST_CASE(
    "visitors: one that has said nothing makes room for who comes, a node does not", "[remote][visitors]")
{
    place there({.listen = "127.0.0.1:0", .greeting_timeout = 60s, .connections_max = 3});
    heard<remote::peer_refused> refused(there.actors);
    const pid near = there.actors.spawn("host", host);
    CHECK(there.ask(near, greeting{"x"}) == "hello x");  // so it is counted as living
    std::deque<mute> silent;
    add_mutes(silent, there, 3);
    place friendly({});
    const pid far = friendly.find(there, "host");
    CHECK(friendly.ask(far, greeting{"x"}) == "hello x");
    CHECK(comes_true([&] { return silent[0].is_closed(); }));
    CHECK_FALSE(silent[1].is_closed());

    for (int i = 0; i < 20; ++i)
        silent.emplace_back(there);
    CHECK(comes_true([&] { return there.node.counters().turned_away == 21; }));
    CHECK_FALSE(silent.back().is_closed());
    CHECK(friendly.ask(far, greeting{"y"}) == "hello y");
    CHECK(friendly.node.peers().front().links == 1);
    CHECK(refused.comes([](const remote::peer_refused& each) {
        return each.number == remote::refusal::too_many_connections &&
            each.reason.find("there are 3 already") != std::string::npos;
    }));
    CHECK(refused.count() == 1);
}

TEST_CASE("visitors: where all have said who they are, who comes is closed at once", "[remote][visitors]")
{
    place there({.listen = "127.0.0.1:0", .greeting_timeout = 60s, .connections_max = 1});
    heard<remote::peer_refused> refused(there.actors);
    there.actors.spawn("host", host);
    place friendly({});
    const pid far = friendly.find(there, "host");
    for (int i = 0; i < 5; ++i) {
        mute late(there);
        CHECK(comes_true([&] { return late.is_closed(); }));
    }
    CHECK(there.node.counters().turned_away == 5);
    CHECK(refused.count() == 1);
    CHECK(friendly.ask(far, greeting{"x"}) == "hello x");

    place other;  // what this node dials is not counted
    other.actors.spawn("host", host);
    CHECK(there.ask(there.find(other, "host"), greeting{"y"}) == "hello y");
}

TEST_CASE("visitors: programs leave a place for a node, and are told why", "[remote][visitors]")
{
    place there({.listen = "127.0.0.1:0", .greeting_timeout = 60s, .connections_max = 4});
    there.actors.spawn("host", host);
    loop_of_programs here;
    std::deque<program> all;
    for (int i = 0; i < 3; ++i) {
        all.emplace_back(there, here);
        CHECK(all.back().said().empty());
    }
    all.emplace_back(there, here);
    CHECK(all.back().said().find("too many connections") != std::string::npos);
    all.pop_front();
    CHECK(comes_true([&] { return all.back().said().empty(); }));  // it may ask again
    all.emplace_back(there, here);
    CHECK(all.back().said().find("too many connections") != std::string::npos);
    place friendly({});
    CHECK(friendly.ask(friendly.find(there, "host"), greeting{"x"}) == "hello x");
    CHECK(all.back().said() != "");  // it has made room
    CHECK(there.node.counters().turned_away == 1);
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(all[i].said() == "");
}

// The sanitizer of undefined behaviour opens a pipe for what it checks, and takes its lack for a mistake. It
// is built together with that of addresses.
#ifndef COSTAR_CORE_HAS_ADDRESS_SANITIZER
TEST_CASE("visitors: where there are no descriptors who has said nothing makes room", "[remote][visitors]")
{
    crowd strangers;
    place there({.listen = "127.0.0.1:0", .greeting_timeout = 60s});
    there.actors.spawn("host", host);
    const int next = ::dup(0);
    ::close(next);
    std::uint32_t connected = 0;
    bool is_made_room = false;
    {
        const descriptor_limit few(static_cast<std::uint64_t>(next) + 3);
        connected = strangers.connect(endpoint_of(there).port(), 20);
        is_made_room = comes_true([&] { return there.node.counters().turned_away >= 15; });
    }
    CHECK(connected == 20);
    CHECK(is_made_room);
    place friendly({});
    CHECK(friendly.ask(friendly.find(there, "host"), greeting{"x"}) == "hello x");
}
#endif

TEST_CASE("visitors: ten thousand connections that say nothing hold up nobody", "[remote][visitors]")
{
    constexpr std::uint64_t spare = 500;
    const descriptor_limit descriptors(ten_thousand + spare);
    const std::uint64_t count = number_to_try(descriptors.given() - spare);
    std::optional<crowd> strangers(std::in_place);
    const std::uint64_t bytes = resident_bytes();
    place there({.listen = "127.0.0.1:0", .greeting_timeout = 600s});
    there.actors.spawn("host", host);
    place friendly({});
    const pid far = friendly.find(there, "host");
    const auto before = there.actors.figures().live;
    REQUIRE(strangers->connect(endpoint_of(there).port(), static_cast<std::uint32_t>(count)) == count);
    CHECK(friendly.ask(far, greeting{"x"}) == "hello x");
    CHECK(comes_true([&] { return there.actors.figures().live == before + count; }));
    const std::uint64_t each = (resident_bytes() - bytes) / count;
    CHECK(each < bytes_of_each);
    {
        place late({});
        CHECK(late.ask(late.find(there, "host"), greeting{"y"}) == "hello y");
    }
    CHECK(friendly.node.peers().front().links == 1);
    CHECK(there.node.counters().turned_away == 0);

    strangers.reset();
    CHECK(comes_true([&] { return there.actors.figures().live == before; }));
    CHECK(friendly.ask(far, greeting{"z"}) == "hello z");
}

TEST_CASE("visitors: a node gets in while strangers come in thousands", "[remote][visitors]")
{
    const descriptor_limit descriptors(ten_thousand + 100);
    const std::uint64_t count = number_to_try(descriptors.given() - 100);
    crowd strangers;
    place there({.listen = "127.0.0.1:0", .greeting_timeout = 600s, .connections_max = count / 4});
    there.actors.spawn("host", host);
    const std::jthread flood(
        [&] { strangers.connect(endpoint_of(there).port(), static_cast<std::uint32_t>(count)); });
    REQUIRE(comes_true([&] { return there.node.counters().turned_away != 0; }));
    place friendly({.greeting_timeout = 60s});  // behind those that the system has let wait
    pid far;
    CHECK(comes_true([&] { return !failure_of([&] { far = friendly.find(there, "host"); }); }));
    CHECK(friendly.ask(far, greeting{"x"}) == "hello x");
    CHECK(comes_true([&] { return there.node.counters().turned_away >= count + 1 - count / 4; }));
    CHECK(friendly.ask(far, greeting{"y"}) == "hello y");
    CHECK(friendly.node.peers().front().links == 1);
}
