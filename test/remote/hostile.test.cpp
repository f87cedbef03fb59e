// SPDX-License-Identifier: MIT

// Peers that are none, or lie. The node stays, and serves others.

#include <costar/core/spawn.hpp>
#include <costar/remote/node.hpp>
#include <costar/rpc/await.hpp>
#include <costar/rpc/connection.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <support/catch.hpp>

#include <costar/node.capnp.h>

#include "calls.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using boost::asio::use_future;

namespace {

/// It still serves.
void check_serves(place& there)
{
    place friendly({});
    CHECK(friendly.ask(friendly.find(there, "host"), greeting{"x"}) == "hello x");
}

/// Says so many bytes, and waits until the node closes the connection.
void say(const place& there, const std::string& bytes)
{
    boost::asio::io_context io;
    tcp::socket socket(io);
    socket.connect(endpoint_of(there));
    boost::system::error_code ignored;
    boost::asio::write(socket, boost::asio::buffer(bytes), ignored);
    std::string answer(100'000, ' ');
    boost::asio::read(socket, boost::asio::buffer(answer), ignored);
}

void greet(schema::Greeting::Builder me)
{
    me.setNewest(1);
    me.setOldest(1);
    me.setName("liar");
    me.setLife(12345);
    me.setMessageMax(1'000'000);
}

/// What a deaf node has, and what it was asked.
struct deafness {
    unsigned features = 0;
    bool elects = false;
    unsigned hellos = 0;
    unsigned opened = 0;
    std::map<std::uint64_t, unsigned> answers{};  // how many there were to a request
    unsigned refused = 0;                         // of them, as `mailbox_full`
};

/// A node that greets, takes nothing and answers no ping.
class deaf final : public schema::Node::Server {
public:
    explicit deaf(std::shared_ptr<deafness> how = std::make_shared<deafness>()) : how_(std::move(how)) {}

private:
    kj::Promise<void> hello(HelloContext call) override
    {
        auto welcome = call.getResults().initWelcome();
        welcome.setProtocol(1);
        greet(welcome.initGreeting());
        auto features = welcome.getGreeting().initFeatures(how_->features);
        if (how_->elects)
            features[0].setNumber(1);
        ++how_->hellos;
        return kj::READY_NOW;
    }
    kj::Promise<void> open(OpenContext call) override
    {
        call.getResults().setSink(kj::heap<sink>(how_));
        ++how_->opened;
        return kj::READY_NOW;
    }
    kj::Promise<void> ping(PingContext) override { return kj::Promise<void>(kj::NEVER_DONE); }

    /// Counts what it is answered.
    class sink final : public schema::Sink::Server {
    public:
        explicit sink(std::shared_ptr<deafness> how) : how_(std::move(how)) {}

    private:
        kj::Promise<void> deliver(DeliverContext call) override
        {
            for (const auto each : call.getParams().getBatch().getEnvelopes()) {
                ++how_->answers[each.getAnswers()];
                how_->refused += each.getFailure() == static_cast<std::uint16_t>(errc::mailbox_full) ? 1 : 0;
            }
            return kj::READY_NOW;
        }

        const std::shared_ptr<deafness> how_;
    };

    const std::shared_ptr<deafness> how_;
};

/// A program that speaks to a node by Cap'n Proto, as it likes: `does` gets the node.
template <class Does>
void as_peer(const place& there, Does does, std::shared_ptr<deafness> how = std::make_shared<deafness>())
{
    boost::asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    tcp::socket socket(io);
    socket.connect(endpoint_of(there));
    auto calls = rpc::connection::client(rpc::make_stream(std::move(socket)), kj::heap<deaf>(how));
    auto node = calls.bootstrap<schema::Node>();
    does(io, node);
}

/// The node's life, which it says to any peer.
std::uint64_t life_of(const place& there)
{
    std::uint64_t life = 0;
    as_peer(there, [&](boost::asio::io_context& io, schema::Node::Client& node) {
        auto hello = node.helloRequest();
        greet(hello.initGreeting());
        hello.getGreeting().setLife(777);
        hello.getGreeting().setName("liar 777");
        life = results_of(io, hello.send()).getWelcome().getGreeting().getLife();
    });
    return life;
}

/// Takes requests, and answers none until it is told to.
task<> hoarder(context& self)
{
    std::vector<message> held;
    while (message m = co_await self.receive()) {
        if (!m.is<total>()) {
            held.push_back(std::move(m));
            continue;
        }
        for (message& each : held)
            each.respond(std::string("at last"));
        m.respond(static_cast<std::uint64_t>(held.size()));
    }
}

/// Greets, opens a sink and delivers what `fill` makes.
void deliver(const place& there, const std::function<void(schema::Batch::Builder)>& fill, std::uint64_t life)
{
    as_peer(there, [&](boost::asio::io_context& io, schema::Node::Client& node) {
        auto hello = node.helloRequest();
        greet(hello.initGreeting());
        hello.getGreeting().setLife(life);
        hello.getGreeting().setName("liar " + std::to_string(life));
        auto open = node.openRequest();
        auto greeted = hello.send();
        auto sink = open.send().getSink();
        auto batch = sink.deliverRequest();
        fill(batch.initBatch());
        CHECK(said_of(io, batch.send()) == "");
        auto done = sink.doneRequest();
        CHECK(said_of(io, done.send()) == "");
    });
}

}  // namespace

TEST_CASE("hostile: what is no peer is let go, and the node serves", "[remote][hostile]")
{
    place there({.listen = "127.0.0.1:0", .greeting_timeout = 100ms});
    there.actors.spawn("host", host);

    say(there, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
    say(there, std::string(5000, '\xff'));
    say(there, std::string(5000, '\0'));
    say(there, std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
    say(there, "");  // says nothing
    check_serves(there);
}

TEST_CASE("hostile: a peer greets first, and once", "[remote][hostile]")
{
    place there;
    there.actors.spawn("host", host);
    as_peer(there, [](boost::asio::io_context& io, schema::Node::Client& node) {
        CHECK(said_of(io, node.openRequest().send()).find("hello first") != std::string::npos);
        CHECK(said_of(io, node.findRequest().send()).find("hello first") != std::string::npos);
        auto hello = node.helloRequest();
        greet(hello.initGreeting());
        CHECK(said_of(io, hello.send()) == "");
        auto again = node.helloRequest();
        greet(again.initGreeting());
        CHECK(said_of(io, again.send()).find("hello once") != std::string::npos);
        CHECK(said_of(io, node.openRequest().send()) == "");
    });
    check_serves(there);
}

TEST_CASE("hostile: a batch that lies is skipped where it lies", "[remote][hostile]")
{
    place there;
    const pid near = there.actors.spawn("adder", adder);
    there.actors.spawn("host", host);
    heard<dead_letter> lost(there.actors);
    const std::uint64_t life = life_of(there);
    REQUIRE(life != 0);
    deliver(
        there,
        [&](schema::Batch::Builder batch) {
            auto pids = batch.initPids(2);
            pids[0].setLife(life);
            pids[0].setStrand(near.strand());
            pids[0].setSlot(near.slot());
            pids[0].setGeneration(near.generation());
            pids[1].setLife(4711);  // a third node's
            auto all = batch.initEnvelopes(9);
            for (unsigned i = 0; i < 9; ++i) {
                all[i].setTarget(1);
                all[i].setType(wire::schema_id<more>());
            }
            all[0].setTarget(99);    // no such place
            all[1].setTarget(2);     // of another node
            all[2].setType(0xdead);  // no such message
            all[3].setRequest(7);    // no body
            all[4].setAnswers(123);  // nobody asked
            all[5].setBody({reinterpret_cast<const kj::byte*>("nonsense"), 8});
            all[6].setSender(77);
            all[7].setRemaining(UINT64_MAX);
            flat_bytes good(more{5});
            all[8].setBody(good.data());
            auto signals = batch.initSignals(5);
            for (unsigned i = 0; i < 5; ++i) {
                signals[i].setKind(
                    static_cast<std::uint16_t>(i + 3));  // waits, watches, ends, and what nobody knows
                signals[i].setTarget(i % 2 + 1);
                signals[i].setAbout(1);
                signals[i].setRequest(7);
            }
        },
        888);
    while (there.actors.ask(near, total{}, 5s, use_future).get() != 5)
        std::this_thread::yield();
    CHECK(lost.comes([](const dead_letter& each) { return each.reason == errc::malformed; }));
    CHECK(lost.comes([](const dead_letter& each) { return each.reason == errc::no_wire_form; }));
    check_serves(there);
}

TEST_CASE(
    "hostile: a number of a request is answered once, and a flood of them has an end", "[remote][hostile]")
{
    constexpr unsigned of_a_batch = 4096;
    constexpr unsigned batches = 26;
    place there({.listen = "127.0.0.1:0"}, 1);
    there.actors.spawn("host", host);
    const pid near = there.actors.spawn("hoarder", hoarder);
    const std::uint64_t life = life_of(there);
    const auto how = std::make_shared<deafness>();
    as_peer(
        there,
        [&](boost::asio::io_context& io, schema::Node::Client& node) {
            auto hello = node.helloRequest();
            greet(hello.initGreeting());
            auto greeted = hello.send();
            auto sink = node.openRequest().send().getSink();
            flat_bytes body(greeting{"x"});
            for (unsigned i = 0; i < batches; ++i) {
                auto request = sink.deliverRequest();
                auto batch = request.initBatch();
                auto pids = batch.initPids(1);
                pids[0].setLife(life);
                pids[0].setStrand(near.strand());
                pids[0].setSlot(near.slot());
                pids[0].setGeneration(near.generation());
                auto all = batch.initEnvelopes(of_a_batch);
                for (unsigned each = 0; each < of_a_batch; ++each) {
                    all[each].setTarget(1);
                    all[each].setType(wire::schema_id<greeting>());
                    all[each].setRequest(
                        i == 0 ? 1 : i * of_a_batch + each);  // the first ones are one and the same
                    all[each].setBody(body.data());
                }
                CHECK(said_of(io, request.send()) == "");
            }
            CHECK(said_of(io, sink.doneRequest().send()) == "");
            const std::uint64_t taken = there.actors.ask(near, total{}, 60s, use_future).get();
            CHECK(taken == 100'000);
            const std::size_t different = (batches - 1) * of_a_batch + 1;
            io.restart();
            const auto end = std::chrono::steady_clock::now() + 60s;
            while (how->answers.size() < different && std::chrono::steady_clock::now() < end)
                io.run_one_for(10ms);
            CHECK(how->answers.size() == different);
            CHECK(how->refused == different - taken);
            CHECK(std::ranges::all_of(how->answers, [](const auto& each) { return each.second == 1; }));
        },
        how);
    check_serves(there);
}

TEST_CASE("hostile: one who sends a byte now and then is let go when its time is over", "[remote][hostile]")
{
    place there({.listen = "127.0.0.1:0", .greeting_timeout = 200ms});
    there.actors.spawn("host", host);
    boost::asio::io_context io;
    tcp::socket socket(io);
    socket.connect(endpoint_of(there));
    // The beginning of a message of Cap'n Proto that takes an hour.
    const std::string bytes = std::string("\0\0\0\0\xff\xff\0\0", 8) + std::string(100'000, '\1');
    std::size_t sent = 0;
    boost::asio::steady_timer pause(io);
    std::function<void()> next = [&] {
        pause.expires_after(5ms);
        pause.async_wait([&](boost::system::error_code) {
            boost::system::error_code gone;
            boost::asio::write(socket, boost::asio::buffer(bytes.data() + sent, 1), gone);
            if (!gone && ++sent < bytes.size())
                next();
        });
    };
    next();
    io.run_for(60s);
    CHECK(sent > 1);
    CHECK(sent < 10'000);
    check_serves(there);
}

TEST_CASE("hostile: one who stays silent is lost by its heartbeat", "[remote][hostile]")
{
    place there({.listen = "127.0.0.1:0", .heartbeat = 10ms, .silence_max = 30ms});
    heard<remote::peer_connected> met(there.actors);
    heard<remote::peer_lost> lost(there.actors);
    boost::asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    tcp::socket socket(io);
    socket.connect(endpoint_of(there));
    auto calls = rpc::connection::client(rpc::make_stream(std::move(socket)), kj::heap<deaf>());
    auto hello = calls.bootstrap<schema::Node>().helloRequest();
    greet(hello.initGreeting());
    CHECK(said_of(io, hello.send()) == "");
    said_of(io, calls.disconnected());
    CHECK(met.comes());
    CHECK(lost.comes(
        [](const remote::peer_lost& each) { return each.reason.find("too long") != std::string::npos; }));
}

TEST_CASE(
    "hostile: parts of messages that lie about their size are refused, and what is right after them is taken",
    "[remote][hostile]")
{
    place there({.listen = "127.0.0.1:0", .message_max = 200'000});
    there.actors.spawn("host", host);
    as_peer(there, [&](boost::asio::io_context& io, schema::Node::Client& node) {
        auto hello = node.helloRequest();
        greet(hello.initGreeting());
        auto greeted = hello.send();
        auto open = node.openRequest();
        open.setLane(2);
        auto sink = open.send().getSink();
        const auto part = [&](std::uint32_t size, std::size_t bytes, bool is_first) {
            auto request = sink.pieceRequest();
            auto made = request.initPart();
            if (is_first) {
                made.setSize(size);
                made.initEnvelope().setType(0xdead);
            }
            const std::vector<kj::byte> data(bytes);
            made.setData({data.data(), data.size()});
            CHECK(said_of(io, request.send()) == "");
        };
        part(4'000'000'000, 10, true);  // far above the limit
        part(0, 10, false);             // of nothing
        part(100'000, 50'000, true);
        part(0, 60'000, false);  // more than was said
        part(100'000, 50'000, true);
        part(100'000, 50'000, true);  // and again from the beginning
        part(0, 0, false);            // empty
        part(150'000, 100'000, true);
        part(0, 50'000, false);  // whole, for nobody
        auto done = sink.doneRequest();
        CHECK(said_of(io, done.send()) == "");
        // Too many sinks.
        std::string refused;
        for (int i = 0; i < 20 && refused.empty(); ++i) {
            auto another = node.openRequest();
            refused = said_of(io, another.send());
        }
        CHECK(refused.find("a dozen sinks") != std::string::npos);
    });
    CHECK(there.node.counters().received == 1);
    check_serves(there);
}

TEST_CASE("hostile: a spawn that lies is refused with a number, and nothing is spawned", "[remote][hostile]")
{
    place there;
    there.actors.spawn("host", host);
    there.node.kind<greeting>(
        "greeted", [](context&, greeting) -> task<> { co_return; }, {.spawned_by = remote::peers{"liar"}});
    as_peer(there, [](boost::asio::io_context& io, schema::Node::Client& node) {
        const auto asks = [&](const std::string& kind, const std::string& name, std::uint64_t type,
                              const std::string& arguments) {
            auto wanted = node.spawnRequest();
            wanted.setKind(wire::text(kind));
            wanted.setName(wire::text(name));
            wanted.setType(type);
            wanted.setArguments({reinterpret_cast<const kj::byte*>(arguments.data()), arguments.size()});
            std::optional<errc> failure;
            rpc::async_wait(wanted.send(), [&](std::exception_ptr thrown, auto... came) {
                if (!thrown)
                    ((failure = static_cast<errc>(came.getFailure())), ...);
                io.stop();
            });
            io.restart();
            io.run_for(10s);
            return failure;
        };
        const std::uint64_t type = wire::schema_id<greeting>();
        CHECK_FALSE(asks("greeted", "", type, "").has_value());  // it has not greeted
        auto hello = node.helloRequest();
        greet(hello.initGreeting());
        CHECK(said_of(io, hello.send()) == "");
        CHECK(asks("greeted", "", type, "") == errc::malformed);
        CHECK(asks("greeted", "", type, "nonsense") == errc::malformed);
        CHECK(asks("greeted", "", type, std::string(64, '\xff')) == errc::malformed);
        CHECK(asks("greeted", "", 0, "") == errc::not_understood);
        CHECK(asks("greeted", "$0-1-1-5", type, "") == errc::malformed);
        CHECK(asks("greeted", "a\nb", type, "") == errc::malformed);
        CHECK(asks("greeted", std::string(10'000, 'x'), type, "") == errc::too_large);
        CHECK(asks(std::string(10'000, 'x'), "", type, "") == errc::unknown_kind);
    });
    check_serves(there);
}

TEST_CASE("hostile: a batch whose lists are none is unreadable, the first one too", "[remote][hostile]")
{
    place there;
    there.actors.spawn("host", host);
    for (const bool is_first : {true, false})
        as_peer(there, [&](boost::asio::io_context& io, schema::Node::Client& node) {
            auto hello = node.helloRequest();
            greet(hello.initGreeting());
            hello.getGreeting().setLife(is_first ? 901 : 902);
            hello.getGreeting().setName(is_first ? "first" : "second");
            auto greeted = hello.send();
            auto open = node.openRequest();
            auto sink = open.send().getSink();
            if (!is_first) {
                auto good = sink.deliverRequest();
                good.initBatch().initEnvelopes(1);
                CHECK(said_of(io, good.send()) == "");
            }
            auto bad = sink.deliverRequest();
            capnp::AnyStruct::Builder batch(bad.initBatch());
            batch.getPointerSection()[1].initAs<schema::Header>();  // where the envelopes are to be
            CHECK(said_of(io, bad.send()) == "");
            auto done = sink.doneRequest();
            auto told = results_of(io, done.send());
            CHECK(told.getCount() == (is_first ? 0 : 1));
            CHECK(told.getUnreadable() == 1);
        });
    check_serves(there);
}

TEST_CASE("hostile: nobody greets with the life of another node", "[remote][hostile]")
{
    place there;
    there.actors.spawn("host", host);
    heard<remote::peer_refused> refused(there.actors);
    const auto greets_as = [&](const char* name) {
        unsigned why = 0;
        as_peer(there, [&](boost::asio::io_context& io, schema::Node::Client& node) {
            auto hello = node.helloRequest();
            greet(hello.initGreeting());
            hello.getGreeting().setLife(77);
            hello.getGreeting().setName(name);
            // Whatever comes of it, it is said once.
            auto again = node.helloRequest();
            greet(again.initGreeting());
            auto first = hello.send();
            auto second = again.send();
            why = results_of(io, kj::mv(first)).getWelcome().getRefusal();
            CHECK(said_of(io, kj::mv(second)).find("hello once") != std::string::npos);
            // Who was refused is no peer by another name either, which it gives as an answer.
            std::string said = why != 0 ? "hello first" : "";
            for (int i = 0; i < 10'000 && said.find("hello first") != std::string::npos; ++i)
                said = said_of(io, node.pingRequest().send());
            CHECK(said.find("hello first") == std::string::npos);
        });
        return static_cast<remote::refusal>(why);
    };
    CHECK(greets_as("alice") == remote::refusal::none);
    CHECK(greets_as("mallory") == remote::refusal::malformed);
    CHECK(greets_as("") == remote::refusal::malformed);
    CHECK(greets_as("alice") == remote::refusal::none);
    CHECK(refused.comes());
    check_serves(there);
}

TEST_CASE("hostile: features that nobody knows are counted, and too many are refused", "[remote][hostile]")
{
    place there;
    there.actors.spawn("host", host);
    heard<remote::peer_connected> met(there.actors);
    const auto greets_with = [&](unsigned count, std::size_t bytes) {
        unsigned why = 0;
        as_peer(
            there,
            [&](boost::asio::io_context& io, schema::Node::Client& node) {
                auto hello = node.helloRequest();
                greet(hello.initGreeting());
                auto features = hello.getGreeting().initFeatures(count);
                for (unsigned i = 0; i < count; ++i)
                    features[i].setNumber(4711 + i);
                if (bytes != 0)
                    features[0].initValue(static_cast<unsigned>(bytes));
                why = results_of(io, hello.send()).getWelcome().getRefusal();
                // Its welcome says so too.
                io.restart();
                for (int i = 0; why == 0 && met.count() == 0 && i < 1000; ++i)
                    io.run_one_for(10ms);
            },
            std::make_shared<deafness>(deafness{.features = count}));
        return static_cast<remote::refusal>(why);
    };
    CHECK(greets_with(65, 0) == remote::refusal::malformed);
    CHECK(greets_with(1, 4097) == remote::refusal::malformed);
    CHECK(there.node.peers().empty());
    CHECK(greets_with(64, 4096) == remote::refusal::none);
    CHECK(met.count() == 1);
    CHECK(there.node.peers().front().unknown_features == 64);
    check_serves(there);
}

TEST_CASE("hostile: a node that greets again and again, and never uses its connections, is let go of",
    "[remote][hostile]")
{
    place there({.listen = "127.0.0.1:0", .greeting_timeout = 200ms});
    there.actors.spawn("host", host);
    heard<remote::peer_lost> lost(there.actors);
    heard<remote::peer_connected> met(there.actors);
    // It may say that it elects in its hello, in its welcome, or in both.
    for (const auto [says_so, is_welcome_so] :
        {std::pair(true, true), std::pair(false, true), std::pair(true, false)}) {
        const std::size_t before = lost.count();
        boost::asio::io_context io;
        rpc::event_loop loop(io.get_executor());
        std::vector<rpc::connection> all;
        for (std::uint64_t i = 0; i < 50; ++i) {
            const auto how = std::make_shared<deafness>(deafness{.features = 1, .elects = is_welcome_so});
            tcp::socket socket(io);
            socket.connect(endpoint_of(there));
            all.push_back(rpc::connection::client(rpc::make_stream(std::move(socket)), kj::heap<deaf>(how)));
            auto node = all.back().bootstrap<schema::Node>();
            auto hello = node.helloRequest();
            greet(hello.initGreeting());
            hello.getGreeting().setNonce(i + 1);
            if (says_so)
                hello.getGreeting().initFeatures(1)[0].setNumber(1);
            const auto welcome = results_of(io, hello.send());
            CHECK(welcome.getWelcome().getRefusal() == 0);
            CHECK(welcome.getWelcome().getOthers().size() <= 16);
        }
        io.restart();
        // One that does not elect uses its last connection at once.
        const std::size_t left = says_so ? 50 : 49;
        for (int i = 0; lost.count() < before + left && i < 1000; ++i)
            io.run_one_for(10ms);
        CHECK(lost.count() == before + left);
        CHECK(std::ranges::none_of(there.node.peers(),
                  [](const remote::peer_figures& each) { return each.is_connected; }) == says_so);
        all.clear();
        CHECK(comes_true([&] { return lost.count() == before + 50; }));
    }
    check_serves(there);
}

TEST_CASE("hostile: who is refused by its hello is not let in by its welcome", "[remote][hostile]")
{
    place there;
    there.actors.spawn("host", host);
    heard<remote::peer_refused> refused(there.actors);
    const auto how = std::make_shared<deafness>();
    as_peer(
        there,
        [&](boost::asio::io_context& io, schema::Node::Client& node) {
            auto hello = node.helloRequest();
            greet(hello.initGreeting());
            hello.getGreeting().setLife(0);
            CHECK(results_of(io, hello.send()).getWelcome().getRefusal() == 6);
            for (int i = 0; how->hellos == 0 && i < 1000; ++i) {
                io.restart();
                io.run_one_for(10ms);
            }
            for (int i = 0; i < 3; ++i)  // behind its welcome; it may have been let go
                CHECK(said_of(io, node.pingRequest().send()) != "");
        },
        how);
    CHECK(how->hellos == 1);
    CHECK(how->opened == 0);
    CHECK(refused.comes());
    CHECK(there.node.peers().empty());
    check_serves(there);
}
