// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/address.hpp>
#include <costar/actor/class_actor.hpp>
#include <costar/actor/context.hpp>
#include <costar/actor/engine_options.hpp>
#include <costar/actor/future_set.hpp>
#include <costar/actor/offload.hpp>
#include <costar/actor/outside_request.hpp>
#include <costar/core/scheduler.hpp>
#include <costar/kernel/extensions.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace costar {

/// Actors, and the strands they live on: the front door.
///
/// `engine engine;` owns one `io_context` and thread for each core. `engine engine{io.get_executor()}`
/// borrows somebody's executor, starts no thread, and lets `io.run()` return when nothing is going on. Only
/// an actor's `offload` starts threads beside: helpers that run blocking functions and nothing else.
///
/// Thread safety: all functions from any thread, unless said otherwise. Construction and destruction from
/// one. Lifetime: an owned engine ends its actors in its destructor, waiting as long as `shutdown_timeout`
/// says; then, and for a borrowed engine at once, actors that are left are destroyed where they stand. A
/// borrowed engine must be destroyed while no other thread runs its executors, and before their context. The
/// destructor must not run on one of the engine's own threads.
class engine : public machine::spawner<engine> {
public:
    /// Starts strands on threads of their own.
    explicit engine(engine_options options = {});

    /// Lays one strand on a borrowed executor; several threads may run it.
    explicit engine(asio::any_io_executor borrowed, engine_options options = {});

    /// Lays one strand on each borrowed executor. Errors: throws `std::invalid_argument` when there is none.
    explicit engine(std::vector<asio::any_io_executor> borrowed, engine_options options = {});

    /// Strands that are given their turns by hand. For simulations.
    engine(machine::scheduler::manual, engine_options options);

    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;
    ~engine();

    // `spawn` makes actors without parent; its forms are described at `spawner`.

    /// Sends a message and goes on. What cannot be delivered becomes a dead letter.
    ///
    /// Order: messages of one thread to one receiver arrive as sent. A foreign thread that runs ahead of an
    /// owned strand is held back a moment, in `ask` too; an actor of another engine waits between messages.
    template <class Destination, class Message>
        requires accepts<Destination, std::remove_cvref_t<Message>>
    void send(const Destination& to, Message&& message);

    /// Asks an actor, with any completion token; the signature is `void(error_code, M::reply)`, without the
    /// reply where it is void.
    ///
    /// The handler is called on its associated executor, else on the strand of the actor; its associated
    /// allocator gives the memory of the request. A negative timeout means that there is none. Errors: as
    /// `context::ask`. Cancellation: the token's slot gives the request up, `errc::cancelled`. Actors use
    /// `context::ask`: a handler or body that waits for `use_future` keeps its whole strand waiting, for ever
    /// when what it waits for lives there too. The same is true of `stop`, `poison`, `wait`, `send_async` and
    /// `mailbox_of`.
    template <class Destination, class Message, class Token>
        requires request<std::remove_cvref_t<Message>> && accepts<Destination, std::remove_cvref_t<Message>>
    auto ask(const Destination& to, Message&& message, std::chrono::nanoseconds timeout, Token&& token)
    {
        using value = std::remove_cvref_t<Message>;
        using reply = typename value::reply;
        static_assert(!is_strand_bound<stored_reply<reply>>,
            "this reply belongs to the strand of the actor: only an actor beside it can ask for it");
        shared_.check_way(to, message);
        return asio::async_initiate<Token, typename machine::request_signature<reply>::type>(
            [this](auto handler, pid to, value message, std::chrono::nanoseconds timeout) {
                using waiting = machine::outside_request<reply, decltype(handler)>;
                waiting::start(post_of(to), waiting::purpose::answer, to,
                    machine::envelope::make(std::move(message)), timeout, std::move(handler));
            },
            token, static_cast<pid>(to), value(std::forward<Message>(message)), timeout);
    }

    /// As above, with the engine's `ask_timeout`.
    template <class Destination, class Message, class Token>
        requires request<std::remove_cvref_t<Message>> &&
        accepts<Destination, std::remove_cvref_t<Message>> &&
        (!std::convertible_to<Token, std::chrono::nanoseconds>)
    auto ask(const Destination& to, Message&& message, Token&& token)
    {
        return ask(to, std::forward<Message>(message), shared_.ask_timeout, std::forward<Token>(token));
    }

    /// Stops an actor: it receives no further message, and what it awaits is cancelled.
    void stop(pid target);

    /// Stops an actor and completes with `void(error_code)` when it has ended; at once when it is gone.
    template <class Token>
    auto stop(pid target, Token&& token)
    {
        return end<ending::stop>(target, std::forward<Token>(token));
    }

    /// Stops an actor behind the messages it has now.
    void poison(pid target) { send(target, poison_pill{}); }

    /// Stops an actor behind the messages it has now, and completes with `void(error_code)` when it has
    /// ended.
    template <class Token>
    auto poison(pid target, Token&& token)
    {
        return end<ending::poison>(target, std::forward<Token>(token));
    }

    /// Completes with `void(error_code)` when an actor has ended, for whatever reason; at once when it is
    /// gone. What was sent to it before is with it by then.
    ///
    /// Cancellation: the token's slot ends the wait alone, `errc::cancelled`.
    template <class Token>
    auto wait(pid target, Token&& token)
    {
        return end<ending::awaited>(target, std::forward<Token>(token));
    }

    /// Stops all actors, the youngest first and children before parents, and waits until they have ended.
    ///
    /// From now on nothing is spawned. For engines with threads of their own, from outside of them.
    /// Errors: throws `std::logic_error` for a borrowed engine and from one of its own threads.
    shutdown_report shutdown(std::chrono::nanoseconds deadline);

    /// As above, completing with `void(error_code, shutdown_report)`; `errc::timed_out` when something was
    /// left.
    template <class Token>
    auto async_shutdown(std::chrono::nanoseconds deadline, Token&& token)
    {
        return asio::async_initiate<Token, void(boost::system::error_code, shutdown_report)>(
            [this](auto handler, std::chrono::nanoseconds deadline) {
                auto done = std::make_shared<machine::completion<decltype(handler)>>(
                    strands_->at(0), std::move(handler));
                begin_shutdown(deadline, [done](boost::system::error_code code, shutdown_report report) {
                    (*done)(code, std::move(report));
                });
            },
            token, deadline);
    }

    /// Sends in the name of an actor, which is the one that answers go to.
    template <class Destination, class Message>
        requires accepts<Destination, std::remove_cvref_t<Message>>
    void send_as(pid sender, const Destination& to, Message&& message)
    {
        if (machine::station* post = here()) {
            post->send(static_cast<pid>(to), std::forward<Message>(message), sender);
            return;
        }
        shared_.check_way(to, message);
        send_from_outside(to, machine::envelope::make(std::forward<Message>(message), sender));
    }

    /// Sends a message and completes with `void(error_code)` when it has found room in the receiver's
    /// mailbox.
    ///
    /// Errors and cancellation: as `context::send_async`.
    template <class Destination, class Message, class Token>
        requires accepts<Destination, std::remove_cvref_t<Message>>
    auto send_async(const Destination& to, Message&& message, Token&& token)
    {
        using value = std::remove_cvref_t<Message>;
        shared_.check_way(to, message);
        return asio::async_initiate<Token, void(boost::system::error_code)>(
            [this](auto handler, pid to, value message) {
                using waiting = machine::outside_request<void, decltype(handler)>;
                waiting::start(post_of(to), waiting::purpose::room, to,
                    machine::envelope::make(std::move(message)), std::chrono::nanoseconds(-1),
                    std::move(handler));
            },
            token, static_cast<pid>(to), value(std::forward<Message>(message)));
    }

    /// Completes with `void(error_code, mailbox_state)`, as `context::mailbox_of`.
    template <class Token>
    auto mailbox_of(pid target, Token&& token)
    {
        return asio::async_initiate<Token, void(boost::system::error_code, mailbox_state)>(
            [this](auto handler, pid target) {
                using waiting = machine::outside_request<mailbox_state, decltype(handler)>;
                waiting::start(post_of(target), waiting::purpose::look, target, nullptr,
                    std::chrono::nanoseconds(-1), std::move(handler));
            },
            token, target);
    }

    /// Begins an actor anew, as `context::restart`.
    void restart(pid target);

    /// One line for each actor that lives: who it is, what it waits for, from where. For engines with threads
    /// of their own, from outside of them: each strand is asked, and one that does not answer in time is said
    /// to be busy.
    std::string dump(std::chrono::nanoseconds patience = std::chrono::seconds(1));

    /// The same without asking anybody, while no strand runs: for a debugger that has stopped the process,
    /// `print my_engine.dump_stopped()`, for a borrowed engine whose context stands still, for simulations.
    std::string dump_stopped() const;

    /// The actor with this name, or with this text form (`node/name`). The text of a pid is only read:
    /// whether that actor lives, and here, `touch` tells.
    std::optional<pid> find(std::string_view name) const;

    /// Text form of an actor: `node/name`.
    std::string text_of(std::string_view name) const { return shared_.node_name + "/" + std::string(name); }

    /// What happens to actors, as events.
    event_stream& events() noexcept { return shared_.events; }

    /// Sends each event of type `Event` to an actor, as a message.
    template <class Event>
    [[nodiscard]] event_stream::subscription subscribe(pid receiver)
    {
        return shared_.events.subscribe<Event>(std::function<void(const Event&)>(
            [this, receiver](const Event& event) { send(receiver, Event(event)); }));
    }

    /// Objects that belong to the engine, one of each type.
    costar::extensions& extensions() noexcept { return extensions_; }

    /// How many strands there are.
    std::size_t size() const noexcept { return strands_->size(); }

    /// The executor of a strand.
    strand get_executor(std::size_t index = 0) const { return strands_->at(index).get_executor(); }

    /// Counts over all strands, read while they go on.
    station_figures figures() const noexcept;

    /// The station of a strand, for tests and tools.
    machine::station& station_at(std::size_t index) const noexcept { return *shared_.stations[index]; }

private:
    friend class machine::spawner<engine>;

    engine(engine_options options, std::unique_ptr<machine::scheduler> strands);

    machine::commons& spawn_shared() noexcept { return shared_; }
    machine::cell* spawn_parent() const noexcept { return nullptr; }

    /// The station in whose turn the caller is, null outside.
    machine::station* here() const noexcept
    {
        machine::strand_context* current = machine::strand_context::current();
        return current == nullptr ? nullptr : station_of(*current);
    }
    machine::station* station_of(machine::strand_context& current) const noexcept;

    /// The station where requests to `to` are waited for.
    machine::station& post_of(pid to) const noexcept
    {
        const bool known = to.node() == shared_.node && to.strand() < shared_.stations.size();
        return *shared_.stations[known ? to.strand() : 0];
    }

    void send_from_outside(pid to, machine::envelope* sent);
    void begin_shutdown(std::chrono::nanoseconds deadline,
        std::function<void(boost::system::error_code, shutdown_report)> done);

    enum class ending {
        stop,
        poison,
        awaited,
    };

    template <ending How, class Token>
    auto end(pid target, Token&& token)
    {
        return asio::async_initiate<Token, void(boost::system::error_code)>(
            [this](auto handler, pid target) {
                using waiting = machine::outside_request<void, decltype(handler)>;
                waiting::start(post_of(target),
                    How == ending::stop ? waiting::purpose::stop : waiting::purpose::end, target,
                    How == ending::poison ? machine::envelope::make(poison_pill{}) : nullptr,
                    std::chrono::nanoseconds(-1), std::move(handler));
            },
            token, target);
    }

    costar::extensions extensions_;  // outlives the actors
    machine::commons shared_;
    std::chrono::nanoseconds shutdown_timeout_;
    std::atomic<bool> gave_up_{false};  // a shutdown had to leave actors
    std::unique_ptr<machine::scheduler> strands_;
    std::vector<std::unique_ptr<machine::station>> stations_;
    std::unique_ptr<machine::offload_pool> offload_;
};

template <class Destination, class Message>
    requires accepts<Destination, std::remove_cvref_t<Message>>
void engine::send(const Destination& to, Message&& message)
{
    using value = std::remove_cvref_t<Message>;
    machine::check_message<value>();
    const pid target = to;
    if (machine::station* post = here()) {
        post->send(target, std::forward<Message>(message), pid());
        return;
    }
    shared_.check_way(target, message);
    if constexpr (machine::type_of<value>.is_inline) {
        if (target.node() == shared_.node && target.strand() < shared_.stations.size()) [[likely]] {
            shared_.stations[target.strand()]->home().send_filled_from_outside([&](machine::parcel& slot) {
                machine::pack_inline<value>(slot, target.key(), message, {}, 0, 0);
            });
            return;
        }
    }
    send_from_outside(target, machine::envelope::make(std::forward<Message>(message)));
}

template <class Destination, class Message>
    requires accepts<Destination, std::remove_cvref_t<Message>>
void context::send(const Destination& to, Message&& message)
{
    if (has_extras) [[unlikely]]
        send_long_way(static_cast<costar::pid>(to), std::forward<Message>(message));
    else
        post().send(static_cast<costar::pid>(to), std::forward<Message>(message), pid());
}

template <class Message>
void context::send_long_way(costar::pid to, Message&& message)
{
    post().shared().check_way(to, message);
    post().send_specially(*this, to, machine::envelope::make(std::forward<Message>(message), pid()));
}

template <class Destination, class Message>
    requires accepts<Destination, std::remove_cvref_t<Message>>
void context::send(const Destination& to, Message&& message, costar::headers with)
{
    post().shared().check_way(to, message);
    post().send_specially(*this, static_cast<costar::pid>(to),
        machine::envelope::make(std::forward<Message>(message), pid()),
        std::make_unique<costar::headers>(std::move(with)));
}

template <class Destination, class Message>
    requires accepts<Destination, std::remove_cvref_t<Message>>
void context::send_as(costar::pid sender, const Destination& to, Message&& message)
{
    post().shared().check_way(to, message);
    if (has_extras) [[unlikely]]
        post().send_specially(*this, static_cast<costar::pid>(to),
            machine::envelope::make(std::forward<Message>(message), sender));
    else
        post().send(static_cast<costar::pid>(to), std::forward<Message>(message), sender);
}

template <class Destination, class Message>
    requires accepts<Destination, std::remove_cvref_t<Message>>
machine::send_request context::send_async(const Destination& to, Message&& message)
{
    post().shared().check_way(to, message);
    return machine::send_request(*this, to, machine::envelope::make(std::forward<Message>(message)));
}

template <class Destination, class Message>
    requires request<std::remove_cvref_t<Message>> && accepts<Destination, std::remove_cvref_t<Message>>
auto context::ask(
    const Destination& to, Message&& message, costar::headers with, std::chrono::nanoseconds timeout)
{
    using value = std::remove_cvref_t<Message>;
    post().shared().check_way(to, message);
    return machine::ask_request<typename value::reply>(*this, to,
        machine::with_headers(machine::envelope::make(std::forward<Message>(message)), std::move(with)),
        or_default(timeout));
}

template <class Destination, class Message>
    requires request<std::remove_cvref_t<Message>> && accepts<Destination, std::remove_cvref_t<Message>>
auto context::ask(const Destination& to, Message&& message, std::chrono::nanoseconds timeout)
{
    using value = std::remove_cvref_t<Message>;
    post().shared().check_way(to, message);
    return machine::ask_request<typename value::reply>(
        *this, to, machine::envelope::make(std::forward<Message>(message)), or_default(timeout));
}

}  // namespace costar
