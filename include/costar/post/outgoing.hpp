// SPDX-License-Identifier: MIT

#pragma once

#include <costar/post/envelope.hpp>
#include <costar/post/headers.hpp>

#include <memory>
#include <string>

namespace costar {

/// A message on its way out, in the hands of `middleware::sending`.
///
/// Thread safety: on the sender's strand, during the call.
class outgoing {
public:
    outgoing(pid to, machine::envelope& sent, std::unique_ptr<costar::headers>& with) noexcept
        : to_(to), sent_(sent), with_(with)
    {}

    pid to() const noexcept { return to_; }

    /// Sends it to somebody else.
    void redirect(pid to) noexcept { to_ = to; }

    std::string type_name() const { return sent_.type->name(); }

    /// Does somebody wait for an answer?
    bool is_request() const noexcept { return sent_.reply != 0; }

    /// The message if it is a `Message`, else null.
    template <any_message Message>
    Message* get_if() noexcept
    {
        return sent_.type == &machine::type_of<Message> ? &sent_.as<Message>() : nullptr;
    }

    /// What travels with it; adding one makes it slower, see `headers`.
    costar::headers& headers()
    {
        if (with_ == nullptr)
            with_ = std::make_unique<costar::headers>();
        return *with_;
    }

private:
    pid to_;
    machine::envelope& sent_;
    std::unique_ptr<costar::headers>& with_;
};

/// What an actor is given in place of a message that its middleware kept from it: no handler takes it.
struct withheld {
    static constexpr bool leaves_idle = true;
};

}  // namespace costar
