// SPDX-License-Identifier: MIT

#pragma once

#include <costar/kernel/message.hpp>

#include <functional>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

namespace costar {

/// What an actor does with its messages, exchanged while it runs.
///
/// A coroutine says the same with a second loop inside the first, and its state is where it stands. This is
/// for actor classes and for those who come from systems that have `become`: a class that derives from it
/// handles messages with what it has become last, and with its call operators while that is nothing.
///
///     struct light : costar::behaviours {
///         void operator()(push) { become([this](push&) { unbecome(); }); }  // on, until it is pushed again
///     };
///
/// In a loop: `behaviours mood; mood.become(handlers...); while (auto m = co_await self.receive()) mood(m);`.
///
/// Thread safety: the actor's strand. A handler may exchange the behaviour that it is a part of. Errors: a
/// message that the behaviour has no handler for becomes a dead letter. Cost: an indirect call a message.
class behaviours {
public:
    /// From now on these handlers take the messages, as those of `message::match` do; all others are
    /// forgotten.
    template <class... Handlers>
    void become(Handlers... handlers)
    {
        stack_.clear();
        become_stacked(std::move(handlers)...);
    }

    /// As above; `unbecome` brings back what was before.
    template <class... Handlers>
    void become_stacked(Handlers... handlers)
    {
        static_assert(sizeof...(Handlers) != 0, "a behaviour needs handlers");
        stack_.push_back(std::make_shared<behaviour>(
            [all = std::make_tuple(std::move(handlers)...)](message& received) mutable {
                return std::apply([&](auto&... each) { return received.match(each...); }, all);
            }));
    }

    /// Back to what was before; harmless when there is nothing.
    void unbecome() noexcept
    {
        if (!stack_.empty())
            stack_.pop_back();
    }

    /// Has it become something?
    bool has_become() const noexcept { return !stack_.empty(); }

    /// Gives a message to what was become last; false when that has no handler for it.
    bool operator()(message& received)
    {
        if (stack_.empty())
            return false;
        const std::shared_ptr<behaviour> current = stack_.back();  // it may be exchanged by its own handler
        return (*current)(received);
    }

private:
    using behaviour = std::function<bool(message&)>;

    std::vector<std::shared_ptr<behaviour>> stack_;
};

}  // namespace costar
