// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/remote/node.hpp>

#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "../wire/travel.hpp"
#include "authority.hpp"

namespace support {

/// Adds up.
struct more {
    std::uint64_t value = 0;
};
struct total {
    using reply = std::uint64_t;
};

/// Gives an address to somebody.
struct meet {
    using reply = bool;
    costar::pid whom;
};
struct tell {
    costar::pid whom;
};

/// Has no mapping.
struct local_only {
    using reply = int;
};

/// Is registered on one side alone.
struct dialect {
    using reply = int;
};

}  // namespace support

template <>
struct costar::wire::mapping<support::more> {
    using schema = costar::schema::Natural;
    static void write(support::more from, schema::Builder to) { to.setValue(from.value); }
    static support::more read(schema::Reader from) { return {from.getValue()}; }
};
template <>
struct costar::wire::mapping<support::total> {
    using schema = costar::schema::Nothing;
    static void write(const support::total&, schema::Builder) {}
    static support::total read(schema::Reader) { return {}; }
};
template <>
struct costar::wire::mapping<support::dialect> {
    using schema = costar::schema::Truth;
    static void write(const support::dialect&, schema::Builder) {}
    static support::dialect read(schema::Reader) { return {}; }
};
template <>
struct costar::wire::mapping<support::meet> {
    using schema = costar::schema::Pid;
    static void write(const support::meet& from, schema::Builder to, const pid_translator& pids)
    {
        pids.write(from.whom, to);
    }
    static support::meet read(schema::Reader from, const pid_translator& pids) { return {pids.read(from)}; }
};

template <>
struct costar::wire::mapping<support::tell> {
    using schema = travel::NewGreeting;
    static void write(const support::tell& from, schema::Builder to, const pid_translator& pids)
    {
        pids.write(from.whom, to.initWho());
    }
    static support::tell read(schema::Reader from, const pid_translator& pids)
    {
        return {pids.read(from.getWho())};
    }
};

namespace support {

inline costar::wire::dictionary all_words()
{
    costar::wire::dictionary words;
    words.add<greeting, more, total, meet, tell>();
    return words;
}

/// The events of one type, from any thread.
template <class Event>
class heard {
public:
    explicit heard(costar::engine& from)
        : subscription_(from.events().subscribe<Event>([this](const Event& event) { add(event); }))
    {}

    /// Waits until there is one that `is_wanted`, at most ten seconds; gives whether there was.
    template <class Wanted>
    bool comes(Wanted is_wanted)
    {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(10), [&] {
            for (const Event& each : events_)
                if (is_wanted(each))
                    return true;
            return false;
        });
    }
    bool comes()
    {
        return comes([](const Event&) { return true; });
    }

    /// The same for more than so many.
    bool comes_after(std::size_t before)
    {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return events_.size() > before; });
    }

    std::size_t count()
    {
        const std::lock_guard lock(mutex_);
        return events_.size();
    }
    template <class Wanted>
    std::size_t count(Wanted is_wanted)
    {
        const std::lock_guard lock(mutex_);
        return static_cast<std::size_t>(std::count_if(events_.begin(), events_.end(), is_wanted));
    }

private:
    void add(const Event& event)
    {
        const std::lock_guard lock(mutex_);
        events_.push_back(event);
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Event> events_;
    costar::event_stream::subscription subscription_;
};

/// Has nodes that are for TCP go over what the environment names: "tls" or "unix".
inline costar::remote::node_options over_network_of_tests(costar::remote::node_options options)
{
    const char* const named = std::getenv("COSTAR_TEST_NETWORK");
    const std::string network = named != nullptr ? named : "";
    static const folder files;
    if (network == "tls" && options.network == nullptr) {
        static const authority signs("authority");
        static const auto over_tls = costar::remote::tls_transport(
            in_files(files, "node", signs.issue("node", {.names = "IP:127.0.0.1,DNS:same"}), signs.pem()));
        options.network = over_tls;
    } else if (network == "unix" && options.listen == "127.0.0.1:0") {
        static std::atomic<int> last{0};
        options.listen = "unix:" + files / std::to_string(++last);
    }
    return options;
}

/// An engine that is a node, and its log silent.
struct place {
    explicit place(costar::remote::node_options options = {.listen = "127.0.0.1:0"},
        std::uint32_t strands = 2, costar::wire::dictionary words = all_words())
        : actors({.strands = strands}),
          node(actors, std::move(words), over_network_of_tests(std::move(options)))
    {}

    costar::pid find(const std::string& address, const std::string& name)
    {
        return node.find(address, name, boost::asio::use_future).get();
    }
    costar::pid find(const place& other, const std::string& name) { return find(other.node.address(), name); }

    template <class Request>
    auto ask(costar::pid to, Request request, std::chrono::nanoseconds timeout = std::chrono::seconds(10))
    {
        return actors.ask(to, std::move(request), timeout, boost::asio::use_future).get();
    }

    costar::engine actors;
    costar::remote::node node;
};

/// What a request ends with.
template <class Ask>
costar::error_code failure_of(Ask&& ask)
{
    try {
        ask();
    } catch (const boost::system::system_error& failure) {
        return failure.code();
    }
    return {};
}

/// Is nobody found there, since there is no link?
inline bool cannot_find(place& here, const std::string& address)
{
    return failure_of([&] { here.find(address, "host"); }) == costar::errc::unreachable;
}

/// Answers with so many letters.
inline costar::task<> talker(costar::context& self)
{
    while (costar::message m = co_await self.receive())
        m.match([](const greeting& asked) { return std::string(asked.times, 'x'); });
}

inline costar::task<> host(costar::context& self)
{
    while (costar::message m = co_await self.receive())
        m.match([](const greeting& said) { return "hello " + said.name; });
}

inline costar::task<> adder(costar::context& self)
{
    std::uint64_t sum = 0;
    while (costar::message m = co_await self.receive())
        m.match([&](const more& one) { sum += one.value; }, [&](const total&) { return sum; });
}

/// Waits until this is so, for a minute at most.
template <class Condition>
bool comes_true(Condition is_so)
{
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!is_so() && std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    return is_so();
}

inline bool holds(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

/// What is said of options with which there is no node.
inline std::string why_not(costar::remote::node_options options)
{
    try {
        const place made(std::move(options));
    } catch (const std::invalid_argument& failure) {
        return failure.what();
    }
    return {};
}

}  // namespace support
