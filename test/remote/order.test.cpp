// SPDX-License-Identifier: MIT

// Order over links that are cut while what they have brought is still on its way between strands: with
// threads, since in a simulation no time passes while something is on its way.

#include <costar/remote/node.hpp>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <support/catch.hpp>

#include "authority.hpp"
#include "places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using any_socket = boost::asio::generic::stream_protocol::socket;

namespace {

/// Passes connections on to a node, and cuts each for the side that has dialled when it has carried so much:
/// what was on its way to the other side still arrives there.
class cutting_relay {
public:
    cutting_relay(std::string to, std::size_t bytes, int cuts_max = 1'000'000)
        : to_(std::move(to)),
          cut_after_(bytes),
          cuts_max_(cuts_max),
          acceptor_(io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0))
    {
        accept();
        thread_ = std::thread([this] { io_.run(); });
    }
    ~cutting_relay()
    {
        io_.stop();
        thread_.join();
    }

    std::string address() const { return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }
    int cuts() const noexcept { return cuts_; }

private:
    struct pair : std::enable_shared_from_this<pair> {
        pair(cutting_relay& relay, tcp::socket socket)
            : owner(relay), sides{any_socket(std::move(socket)), any_socket(relay.io_)}
        {}

        void pass(std::size_t from)
        {
            sides[from].async_read_some(boost::asio::buffer(bytes[from]),
                [this, from, self = shared_from_this()](boost::system::error_code failed, std::size_t count) {
                    if (failed) {
                        sides[1 - from].shutdown(any_socket::shutdown_send, failed);
                        return;
                    }
                    boost::asio::async_write(sides[1 - from], boost::asio::buffer(bytes[from], count),
                        [this, from, count, self](boost::system::error_code, std::size_t) {
                            carried += from == 0 ? count : 0;
                            if (from == 0 && carried > owner.cut_after_ && owner.cuts_ < owner.cuts_max_)
                                cut();
                            pass(from);
                        });
                });
        }

        void cut()
        {
            boost::system::error_code ignored;
            sides[0].set_option(boost::asio::socket_base::linger(true, 0), ignored);
            sides[0].close(ignored);
            ++owner.cuts_;
            carried = 0;
        }

        cutting_relay& owner;
        std::array<any_socket, 2> sides;
        std::array<std::array<char, 65'536>, 2> bytes;
        std::size_t carried = 0;
    };

    void accept()
    {
        acceptor_.async_accept([this](boost::system::error_code failed, tcp::socket socket) {
            if (failed)
                return;
            const auto made = std::make_shared<pair>(*this, std::move(socket));
            made->sides[1].connect(boost::asio::local::stream_protocol::endpoint(to_), failed);
            made->pass(0);
            made->pass(1);
            accept();
        });
    }

    const std::string to_;
    const std::size_t cut_after_;
    const int cuts_max_;
    boost::asio::io_context io_;
    tcp::acceptor acceptor_;
    std::atomic<int> cuts_{0};
    std::thread thread_;
};

/// Keeps its strand from others now and then.
task<> keeps_busy(context& self)
{
    for (;;) {
        const auto until = std::chrono::steady_clock::now() + 5ms;
        while (std::chrono::steady_clock::now() < until)
            ;
        message m = co_await self.receive(5ms);
        if (!m.timed_out())
            break;
    }
}

task<> takes_in_order(context& self, std::atomic<std::uint64_t>* taken, std::atomic<int>* wrong)
{
    std::uint64_t last = 0;
    while (message m = co_await self.receive())
        m.match([&](const more& next) {
            *wrong += next.value <= last ? 1 : 0;
            last = next.value;
            ++*taken;
        });
}

task<> keeps_sending(context& self, pid to, std::atomic<bool>* is_over)
{
    for (std::uint64_t number = 0; !*is_over;) {
        for (int i = 0; i < 50; ++i)
            self.send(to, more{++number});
        co_await self.receive(300us);
    }
}

task<> counts_greetings(context& self, std::atomic<std::uint64_t>* taken)
{
    while (message m = co_await self.receive())
        m.match([&](const greeting&) { ++*taken; }, [](const more&) {});
}

}  // namespace

TEST_CASE(
    "order: who leaves over a link that follows a lost one has said all, in parts or not", "[remote][order]")
{
    const std::size_t size = GENERATE(10, 140'000);
    for (int round = 0; round < 5; ++round) {
        const folder files;
        const std::string socket = files / "x.sock";
        std::atomic<std::uint64_t> taken{0};
        std::atomic<bool> is_over{false};
        cutting_relay relay(socket, 5000, 1);
        place receiver({.listen = "unix:" + socket, .advertised = relay.address()});
        receiver.actors.spawn("taker", counts_greetings, &taken);
        for (const std::uint32_t strand : {0, 1})
            receiver.actors.spawn(
                spawn_options{.placement = placement::chosen, .strand = strand}, keeps_busy);
        place sender({.pause_min = 1ms, .pause_max = 5ms}, 1);
        heard<remote::peer_lost> lost(sender.actors);
        const pid taker = sender.find(relay.address(), "taker");
        const pid sending = sender.actors.spawn(keeps_sending, taker, &is_over);
        CHECK(lost.comes());
        is_over = true;
        sender.actors.wait(sending, use_future).get();
        for (int i = 0; i < 20; ++i)
            sender.actors.send(taker, greeting{std::string(size, 'x')});
        sender.node.leave(20s, use_future).get();
        CHECK(comes_true([&] { return taken == 20; }));
    }
}

TEST_CASE(
    "order: what a lost link has brought is not overtaken by what comes over the next", "[remote][order]")
{
    const folder files;
    const std::string socket = files / "x.sock";
    std::atomic<std::uint64_t> taken{0};
    std::atomic<int> wrong{0};
    std::atomic<bool> is_over{false};
    cutting_relay relay(socket, 40'000);
    place sender({.pause_min = 1ms, .pause_max = 5ms}, 1);
    place receiver({.listen = "unix:" + socket, .advertised = relay.address()});
    receiver.actors.spawn("taker", takes_in_order, &taken, &wrong);
    for (const std::uint32_t strand : {0, 1})
        receiver.actors.spawn(spawn_options{.placement = placement::chosen, .strand = strand}, keeps_busy);

    const pid taker = sender.find(relay.address(), "taker");
    const pid sending = sender.actors.spawn(keeps_sending, taker, &is_over);
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (relay.cuts() < 100 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    is_over = true;
    sender.actors.wait(sending, use_future).get();
    CHECK(relay.cuts() >= 100);
    CHECK(taken > 1000);
    CHECK(wrong == 0);
}

TEST_CASE(
    "order: what waits for a link that yields is not overtaken by what comes past it", "[remote][order]")
{
    const folder files;
    struct side {
        side(std::string socket) : relay(socket, 40'000), here(options(socket, relay.address()))
        {
            here.actors.spawn("taker", takes_in_order, &taken, &wrong);
            for (const std::uint32_t strand : {0, 1})
                here.actors.spawn(
                    spawn_options{.placement = placement::chosen, .strand = strand}, keeps_busy);
        }
        static remote::node_options options(const std::string& socket, std::string advertised)
        {
            return {.listen = "unix:" + socket,
                .advertised = std::move(advertised),
                .pause_min = 1ms,
                .pause_max = 2ms};
        }

        std::atomic<std::uint64_t> taken{0};
        std::atomic<int> wrong{0};
        cutting_relay relay;
        place here;
    };
    std::atomic<bool> is_over{false};
    side one(files / "one.sock");
    side other(files / "other.sock");
    const pid taker = one.here.find(other.relay.address(), "taker");
    const pid other_taker = other.here.find(one.relay.address(), "taker");
    const pid sending = one.here.actors.spawn(keeps_sending, taker, &is_over);
    const pid other_sending = other.here.actors.spawn(keeps_sending, other_taker, &is_over);
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (one.relay.cuts() + other.relay.cuts() < 100 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    is_over = true;
    one.here.actors.wait(sending, use_future).get();
    other.here.actors.wait(other_sending, use_future).get();
    CHECK(one.relay.cuts() + other.relay.cuts() >= 20);
    for (const side* each : {&one, &other}) {
        CHECK(each->taken > 1000);
        CHECK(each->wrong == 0);
    }
}
