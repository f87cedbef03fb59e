// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/engine.hpp>
#include <costar/remote/peers.hpp>
#include <costar/wire/codec.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace costar::remote {

/// What can be chosen for a kind of actors.
struct kind_options {
    /// Which nodes may have this one spawn it; none without a word.
    peers spawned_by{};

    /// Which nodes may stop, poison and restart those that were spawned for a node, beside that node itself.
    peers stopped_by{};

    /// How it is spawned. A name that is asked for comes in place of the one here; `placement::beside` is on
    /// the strands in turn.
    spawn_options actor{};
};

}  // namespace costar::remote

namespace costar::machine {

/// An actor in the books of its node, as long as it may run.
class tenant;

/// The body of an actor, and its entry in the books.
template <class Body, class... Arguments>
struct hosted {
    task<> operator()(
        context& self, Body body, std::shared_ptr<tenant> /*entry*/, Arguments... arguments) const
    {
        co_await body(self, std::move(arguments)...);
    }
};

/// What others may have spawned.
struct kind {
    /// How its arguments are read; null where it has none.
    const wire::codec* arguments = nullptr;

    remote::kind_options options;

    /// Spawns one, on what lies at `arguments`.
    std::function<pid(engine&, spawn_options, std::shared_ptr<tenant>, void* arguments)> bear;
};

}  // namespace costar::machine

namespace costar::remote {

/// Kinds of actors that other nodes may have this one spawn, by their names.
///
///     remote::kinds offered;
///     offered.add<order>("worker", worker, {.spawned_by = remote::anyone});
///     remote::node node(engine, words, {.listen = "127.0.0.1:0", .kinds = offered});
///
/// The body is a coroutine function, or a lambda without captures, that takes `context&` and the arguments,
/// one message with a mapping, or nothing more. They need not be in the dictionary.
///
/// Thread safety: filled by one thread, then read by any.
class kinds {
public:
    /// Errors: throws `std::logic_error` where there is one of this name, `std::invalid_argument` for no
    /// name.
    template <class Arguments, class Body>
        requires machine::actor_function<Body, Arguments>
    kinds& add(std::string name, Body body, kind_options options = {})
    {
        check<Body>();
        static_assert(wire::mapped<Arguments>,
            "the arguments of a kind need a mapping to a schema: specialize costar::wire::mapping for their "
            "type, or let capnpc-costar make it of a schema");
        return enter(std::move(name),
            {&wire::codec_of<Arguments>, std::move(options),
                [body](engine& where, spawn_options how, std::shared_ptr<machine::tenant> entry,
                    void* arguments) {
                    return where.spawn(std::move(how), machine::hosted<Body, Arguments>(), body,
                        std::move(entry), std::move(*static_cast<Arguments*>(arguments)));
                }});
    }
    template <class Body>
        requires machine::actor_function<Body>
    kinds& add(std::string name, Body body, kind_options options = {})
    {
        check<Body>();
        return enter(std::move(name),
            {nullptr, std::move(options),
                [body](engine& where, spawn_options how, std::shared_ptr<machine::tenant> entry, void*) {
                    return where.spawn(std::move(how), machine::hosted<Body>(), body, std::move(entry));
                }});
    }

    /// Null where there is none.
    std::shared_ptr<const machine::kind> find(std::string_view name) const;

private:
    template <class Body>
    static constexpr void check()
    {
        static_assert(std::is_pointer_v<Body> || std::is_empty_v<Body>,
            "an actor's lambda may not capture: its captures would be gone when it runs; pass them as "
            "arguments");
        machine::check_parameters<Body>();
    }

    kinds& enter(std::string name, machine::kind made);

    std::map<std::string, std::shared_ptr<const machine::kind>, std::less<>> all_;
};

}  // namespace costar::remote
