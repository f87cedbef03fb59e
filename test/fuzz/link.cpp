// SPDX-License-Identifier: MIT

// A node that hears a hostile peer stays up: it answers a friend afterwards, of whom nothing is lost, and
// keeps nothing of the hostile one. It lives on between inputs, some hundreds of them, or until a peer has
// stopped one of the actors that it may stop.
//
// Input: the script of a `hostile_peer`.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/core/result.hpp>
#include <costar/remote/node.hpp>

#include <boost/asio/io_context.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <sanitizer/allocator_interface.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "../remote/places.hpp"
#include "hostile_peer.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

// Addresses come from the input. Whatever they are, nobody is called but the node itself.

namespace {

std::uint16_t port_of_node = 0;

bool is_node(const sockaddr* where, socklen_t size)
{
    sockaddr_in there{};
    if (where->sa_family != AF_INET || size < sizeof there)
        return false;
    std::memcpy(&there, where, sizeof there);
    return there.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && there.sin_port == htons(port_of_node);
}

}  // namespace

extern "C" {

int __real_connect(int socket, const sockaddr* where, socklen_t size);
int __wrap_connect(int socket, const sockaddr* where, socklen_t size)
{
    if (is_node(where, size))
        return __real_connect(socket, where, size);
    errno = ECONNREFUSED;
    return -1;
}

int __real_getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** found);
int __wrap_getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** found)
{
    if (host != nullptr && std::strcmp(host, "127.0.0.1") == 0)
        return __real_getaddrinfo(host, service, hints, found);
    return EAI_NONAME;
}

}  // extern "C"

namespace {

bool is_one_line(std::string_view text)
{
    return text.find_first_of(std::string_view("\n\r\0\x1b", 4)) == std::string_view::npos;
}

/// Counts the greetings from the friend, which nobody else knows by their name.
task<> ledger(context& self, std::string secret)
{
    std::uint64_t count = 0;
    while (message m = co_await self.receive())
        m.match(
            [&](const greeting& said) {
                count += said.name == secret ? 1 : 0;
                return std::string();
            },
            [&](const total&) { return count; });
}

task<> ask_it(context& self, pid whom)
{
    static_cast<void>(co_await as_result(self.ask(whom, greeting{"you"}, 1s)));
    static_cast<void>(co_await as_result(self.ask(whom, total{}, 1s)));
}

/// Has to do with everybody whose address it is given: watches, sends, asks, waits.
task<> sociable(context& self)
{
    while (message m = co_await self.receive())
        m.match(
            [&](const meet& one) {
                self.watch(one.whom);
                self.send(one.whom, more{1});
                return true;
            },
            [&](const tell& one) {
                self.spawn(ask_it, one.whom);
                self.unwatch(one.whom);
            },
            [](const terminated&) {}, [](const pid&) {});
}

/// The friend: says two things that must arrive, and asks how many have.
task<> courier(context& self, pid there, std::string secret)
{
    while (message m = co_await self.receive()) {
        if (!m.is<total>())
            continue;
        self.send(there, greeting{secret});
        self.send(there, greeting{secret});
        auto count = co_await as_result(self.ask(there, total{}, 5s));
        m.respond(count ? *count : 0);
    }
}

/// A node, its friend, and what runs both.
class world {
public:
    world()
        : actors_(io_.get_executor()),
          friends_(io_.get_executor()),
          node_(actors_, all_words(),
              {.name = "node",
                  .listen = "127.0.0.1:0",
                  .pause_min = 1ms,
                  .pause_max = 2ms,
                  .lives_max = 4096}),
          friend_node_(friends_, all_words(), {.name = "friend"})
    {
        const std::string address = node_.address();
        port_of_node = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
        there_.where = {boost::asio::ip::address_v4::loopback(), port_of_node};
        there_.run = [this] { return run(); };
        there_.actors = {actors_.spawn("host", host), actors_.spawn("sociable", sociable),
            actors_.spawn("adder", adder), pid()};
        lost_ = actors_.events().subscribe<remote::peer_lost>([](const remote::peer_lost& event) {
            demand(is_one_line(event.name + event.address + event.reason), "a peer writes lines of an event");
        });
        there_.spared = actors_.spawn("ledger", ledger, secret());
        stopped_ = actors_.events().subscribe<actor_stopped>([this](const actor_stopped& event) {
            const auto known = std::span(there_.actors).first(there_.actors.size() - 1);
            stopped_by_peers_ += std::ranges::count(known, event.who);
        });
        started_ = actors_.events().subscribe<actor_started>(
            [this](const actor_started& event) { there_.actors.back() = event.who; });
        const pid found = wait_for(friend_node_.find(address + "/ledger", boost::asio::use_future));
        courier_ = friends_.spawn(courier, found, secret());
        check_friend();
        rests_at_ = actors_.figures().live;
        bytes_at_rest_ = __sanitizer_get_current_allocated_bytes();
    }

    void meet_hostile(script input)
    {
        {
            hostile_peer peer(there_, input);
            peer.play();
        }
        check_friend();
    }

    /// Peers may stop whom they know.
    bool is_whole() const noexcept { return stopped_by_peers_ == 0; }

    /// Nothing of hostile peers is left but what is bounded.
    void check_rest()
    {
        const auto deadline = std::chrono::steady_clock::now() + 5s;
        while (actors_.figures().live + stopped_by_peers_ != rests_at_) {
            demand(std::chrono::steady_clock::now() < deadline, "actors of hostile peers are left");
            io_.run_one_for(10ms);
        }
        demand(__sanitizer_get_current_allocated_bytes() < bytes_at_rest_ + 32'000'000,
            "memory of hostile peers is left");
    }

private:
    /// Not all at once: a strand has its turn again and again while it has work.
    std::size_t run()
    {
        std::size_t count = 0;
        while (count < 1000 && io_.poll_one() != 0)
            ++count;
        io_.restart();
        return count;
    }

    template <class T>
    T wait_for(std::future<T> future)
    {
        const auto deadline = std::chrono::steady_clock::now() + 10s;
        while (future.wait_for(0s) != std::future_status::ready) {
            demand(std::chrono::steady_clock::now() < deadline, "the node does not answer its friend");
            if (run() == 0)
                io_.run_one_for(10ms);
        }
        return future.get();
    }

    void check_friend()
    {
        sent_ += 2;
        demand(wait_for(friends_.ask(courier_, total{}, 8s, boost::asio::use_future)) == sent_,
            "something of a friend is lost");
    }

    static std::string secret() { return "nobody guesses this, not even what looks at comparisons"; }

    boost::asio::io_context io_{1};
    engine actors_;
    engine friends_;
    remote::node node_;
    remote::node friend_node_;
    surroundings there_;
    event_stream::subscription started_;
    event_stream::subscription stopped_;
    event_stream::subscription lost_;
    std::uint64_t stopped_by_peers_ = 0;
    pid courier_;
    std::uint64_t sent_ = 0;
    std::uint64_t rests_at_ = 0;
    std::size_t bytes_at_rest_ = 0;
};

std::unique_ptr<world> current;
unsigned inputs_of_it = 0;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***)
{
    // What a peer says of itself stands there, and is no line of its own. That is the log's doing; the
    // events, which programs write where they like, are looked at too.
    set_log_sink([](log_level, std::string_view line) {
        demand(is_one_line(line), "a peer writes lines of the log");
    });
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    if (current == nullptr)
        current = std::make_unique<world>();
    current->meet_hostile(script({bytes, size}));
    if (++inputs_of_it % 64 != 0)
        return 0;
    current->check_rest();
    if (inputs_of_it % 1024 == 0 || !current->is_whole())
        current.reset();
    return 0;
}
