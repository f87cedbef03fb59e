// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/engine.hpp>
#include <costar/wire/codec.hpp>

#include <boost/asio/associator.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace costar::remote {

/// A node that is meant: by its address, by its name where it has been met, or by any actor of it.
class destination {
public:
    template <std::convertible_to<std::string_view> Text>
    destination(const Text& text) : text_(std::string_view(text))
    {}
    template <std::convertible_to<pid> Actor>
        requires(!std::convertible_to<Actor, std::string_view>)
    destination(const Actor& anybody_there) : actor_(anybody_there)
    {}

    const std::string& text() const noexcept { return text_; }
    pid actor() const noexcept { return actor_; }

private:
    std::string text_;
    pid actor_;
};

/// An actor that another node is to spawn.
struct newcomer {
    /// The name of its kind, as that node offers it.
    std::string kind;

    /// Unique in that node while the actor lives; empty for an automatic one.
    std::string name{};

    /// How long its pid is waited for; the engine's `ask_timeout` without a word.
    std::optional<std::chrono::nanoseconds> timeout{};
};

class switchboard;

}  // namespace costar::remote

namespace costar::machine {

/// What came of a spawn elsewhere. With `errc::name_in_use` it is who has the name.
struct spawned {
    pid who;
    errc failure{};
};

/// Asks a link to have an actor spawned by its peer.
struct spawn_there {
    using reply = spawned;
    remote::newcomer what;

    /// Of the schema of the arguments, 0 for none; and they as a message of Cap'n Proto.
    std::uint64_t type = 0;
    std::vector<std::uint64_t> arguments{};

    /// Where it is to be, 0 for whoever is there.
    std::uint32_t node = 0;

    /// There is no link, and so no dead letter either.
    errc bury(post_office& where, errc reason) noexcept;
};

/// Writes the arguments; `known` is null for none.
spawn_there spawn_there_with(const remote::switchboard& board, const remote::destination& where,
    remote::newcomer what, const wire::codec* known, const void* arguments);

task<pid> spawn_from(context& self, const remote::destination& where, remote::newcomer what,
    const wire::codec* known, const void* arguments);

/// Has a handler of a pid take what came of a spawn.
template <class Handler>
class spawn_handler {
public:
    explicit spawn_handler(Handler handler) : handler_(std::move(handler)) {}

    void operator()(boost::system::error_code code, spawned made)
    {
        if (!code && made.failure != errc{})
            code = make_error_code(made.failure);
        std::move(handler_)(code, made.who);
    }

    const Handler& wrapped() const noexcept { return handler_; }

private:
    Handler handler_;
};

}  // namespace costar::machine

template <template <class, class> class Associator, class Handler, class Default>
struct boost::asio::associator<Associator, costar::machine::spawn_handler<Handler>, Default>
    : Associator<Handler, Default> {
    static auto get(const costar::machine::spawn_handler<Handler>& handler) noexcept
    {
        return Associator<Handler, Default>::get(handler.wrapped());
    }
    static auto get(const costar::machine::spawn_handler<Handler>& handler, const Default& otherwise) noexcept
    {
        return Associator<Handler, Default>::get(handler.wrapped(), otherwise);
    }
};

namespace costar::remote {

/// Has another node spawn an actor, from an actor of this one: the same as `node::spawn`.
///
///     const pid far = co_await remote::spawn(self, "10.0.0.2:4711", "worker", order{"tea"});
///
/// The arguments are written at the call. Errors: throws as `node::spawn` ends; `name_in_use` says who has
/// the name. `std::logic_error` where the engine is no node.
template <wire::mapped Arguments>
task<pid> spawn(context& self, const destination& where, newcomer what, const Arguments& arguments)
{
    return machine::spawn_from(self, where, std::move(what), &wire::codec_of<Arguments>, &arguments);
}
template <wire::mapped Arguments>
task<pid> spawn(context& self, const destination& where, std::string_view kind, const Arguments& arguments)
{
    return spawn(self, where, newcomer{std::string(kind)}, arguments);
}
inline task<pid> spawn(context& self, const destination& where, newcomer what)
{
    return machine::spawn_from(self, where, std::move(what), nullptr, nullptr);
}
inline task<pid> spawn(context& self, const destination& where, std::string_view kind)
{
    return spawn(self, where, newcomer{std::string(kind)});
}

}  // namespace costar::remote
