// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/completion.hpp>
#include <costar/core/error.hpp>
#include <costar/core/timer.hpp>
#include <costar/ground/pool.hpp>
#include <costar/kernel/ask.hpp>
#include <costar/kernel/station.hpp>
#include <costar/post/envelope.hpp>

#include <boost/asio/associated_allocator.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace costar::machine {

/// How the outcome of a request reaches an Asio handler: an error code, and the reply unless it is void. A
/// reply that has no default constructor comes as `std::optional`.
template <class Reply>
struct request_signature {
    using value = typename handed_over<Reply>::type;
    using type = void(boost::system::error_code, value);
};

template <>
struct request_signature<void> {
    using type = void(boost::system::error_code);
};

/// A request from outside of all actors, with the handler that waits for its end.
///
/// It lives on the strand of the actor that is asked, so the answer needs no way of its own. Its deadline
/// passes, and its cancellation ends it, also while it waits in line to get there. Its memory comes from the
/// handler's associated allocator, else from the pool.
template <class Reply, class Handler>
class outside_request final : private reply_waiter, private timer_node, private stray {
public:
    /// What is asked for: an answer to a message, that an actor has ended, room in its mailbox, or a look at
    /// that.
    enum class purpose : std::uint8_t {
        answer,
        stop,
        end,
        room,
        look
    };

    static void start(station& post, purpose wanted, pid to, envelope* sent, std::chrono::nanoseconds timeout,
        Handler handler)
    {
        held_envelope held(sent);
        allocator memory = asio::get_associated_allocator(handler, pool_allocator<void>());
        auto* made = std::allocator_traits<allocator>::allocate(memory, 1);
        try {
            ::new (static_cast<void*>(made))
                outside_request(post, wanted, to, held, timeout, std::move(handler), memory);
        } catch (...) {
            std::allocator_traits<allocator>::deallocate(memory, made, 1);
            throw;
        }
        if (strand_context::current() == &post.home()) {
            made->begin();
        } else if (wanted == purpose::stop) {
            post.home().post(first_step(*made));  // overtakes messages
        } else {
            made->is_borne_ = true;
            post.home().post_in_line(make_job(first_step(*made)), made);
        }
    }

    void cancel() noexcept
    {
        if (!has_begun_) {
            end_in_line(errc::cancelled);
        } else if (token_ != 0) {
            post_.forget(token_);
            if (wanted_ == purpose::room || wanted_ == purpose::answer)
                post_.withdraw(to_, token_);
            else if (wanted_ == purpose::stop || wanted_ == purpose::end)
                post_.forget_end(to_, token_);
            end(errc::cancelled);
        }
    }

private:
    using allocator = typename std::allocator_traits<
        asio::associated_allocator_t<Handler, pool_allocator<void>>>::template rebind_alloc<outside_request>;

    outside_request(station& post, purpose wanted, pid to, held_envelope& sent,
        std::chrono::nanoseconds timeout, Handler handler, const allocator& memory)
        : reply_waiter(take),
          stray([](stray& self) noexcept { static_cast<outside_request&>(self).destroy(); }),
          post_(post),
          to_(to),
          wanted_(wanted),
          memory_(memory),
          completion_(post.home(), std::move(handler))
    {
        timer_node::due = timeout.count() >= 0 ? deadline_from_here(post.home(), timeout) : 0;
        completion_.connect_cancellation(post.home(), *this);
        sent_ = sent.release();
        timer_node::fire = [](timer_node* timer) {
            auto& self = *static_cast<outside_request*>(timer);
            if (!self.has_begun_) {
                self.end_in_line(errc::timed_out);
                return;
            }
            self.post_.forget(self.token_);
            self.post_.withdraw(self.to_, self.token_);
            self.end(errc::timed_out);
        };
    }
    ~outside_request()
    {
        if (sent_ != nullptr)
            sent_->discard();
        if (token_ != 0)  // destroyed while it waits
            post_.forget(token_);
        post_.home().disarm(*this);
    }

    /// It counts from the sending, however long the strand is busy with other things.
    static std::uint64_t deadline_from_here(strand_context& home, std::chrono::nanoseconds timeout) noexcept
    {
        const bool is_inside = strand_context::current() == &home;
        return deadline_after(is_inside ? home.time_for(timeout) : home.time_outside_for(timeout), timeout);
    }

    void destroy() noexcept
    {
        allocator memory(std::move(memory_));
        this->~outside_request();
        std::allocator_traits<allocator>::deallocate(memory, this, 1);
    }

    void begin()
    {
        strand_context& home = post_.home();
        has_begun_ = true;
        if (has_ended_) {
            destroy();
            return;
        }
        home.keep(*this);
        if (due != 0 && due < home.now()) {
            end(errc::timed_out);
            return;
        }
        try {
            ask();
        } catch (const std::bad_alloc&) {
            if (token_ != 0)
                post_.forget(token_);
            end(errc::mailbox_full);
        }
    }

    void ask()
    {
        token_ = post_.expect(*this);
        if (due != 0)
            post_.home().arm(*this, due);
        if (wanted_ == purpose::stop) {
            post_.stop(to_, token_);
        } else if (wanted_ == purpose::end) {
            if (sent_ != nullptr)
                post_.admit(to_, std::exchange(sent_, nullptr), 0, nullptr, is_borne_);
            post_.await_end(to_, token_, {});
        } else if (wanted_ == purpose::look) {
            post_.look_at_mailbox(to_, token_);
        } else if (wanted_ == purpose::room) {
            post_.admit(to_, std::exchange(sent_, nullptr), token_, nullptr, is_borne_);
        } else {
            envelope* sent = std::exchange(sent_, nullptr);
            sent->reply = token_;
            sent->deadline = due;
            post_.admit(to_, sent, 0, nullptr, is_borne_);
        }
    }

    static void take(reply_waiter& base, const message_type* type, void* value, errc failure) noexcept
    {
        auto& self = static_cast<outside_request&>(base);
        self.end(keep_reply<Reply>(self.value_, type, value, failure));
    }

    void end(errc failure) noexcept
    {
        token_ = 0;
        failure_ = failure;
        post_.home().disarm(*this);
        post_.home().post(last_step(*this));  // the handler is never called by the initiating function
    }

    /// It is over before it has come to its strand: the handler hears of it now, and what is left is
    /// destroyed when its turn comes.
    void end_in_line(errc failure)
    {
        if (std::exchange(has_ended_, true))
            return;
        post_.home().disarm(*this);
        post_.home().post([completion = std::move(completion_), failure]() mutable {
            if constexpr (std::is_void_v<Reply>)
                completion(make_error_code(failure));
            else
                completion(make_error_code(failure), typename request_signature<Reply>::value());
        });
    }

    void complete()
    {
        auto completion = std::move(completion_);
        error_code code = failure_ == errc{} ? error_code() : make_error_code(failure_);
        if constexpr (std::is_void_v<Reply>) {
            destroy();
            completion(code);
        } else {
            auto result = take_result(code);
            destroy();
            completion(code, std::move(result));
        }
    }

    /// The value for the handler, an empty one with an error. It is moved as often as it takes; where that
    /// may throw, in a box.
    auto take_result(error_code& code)
    {
        using value = typename request_signature<Reply>::value;
        if constexpr (std::is_nothrow_move_constructible_v<value>) {
            return value_ ? value(std::move(*value_)) : value();
        } else {
            boxed_value<value> result;
            try {
                if (value_)
                    result.value = std::make_unique<value>(std::move(*value_));
            } catch (...) {
                code = make_error_code(errc::wrong_reply);
            }
            if (!result.value)
                result.value = std::make_unique<value>();
            return result;
        }
    }

    using first_step = operation_step<outside_request, &outside_request::begin, &outside_request::destroy>;
    using last_step = operation_step<outside_request, &outside_request::complete, &outside_request::destroy>;

    station& post_;
    pid to_;
    envelope* sent_ = nullptr;
    std::uint64_t token_ = 0;
    errc failure_{};
    purpose wanted_;
    bool has_begun_ = false;  // it has come to its strand
    bool has_ended_ = false;  // before that
    bool is_borne_ = false;   // it came in line with messages, and counts as one
    std::optional<stored_reply<Reply>> value_;
    [[no_unique_address]] allocator memory_;
    costar::machine::completion<Handler> completion_;
};

}  // namespace costar::machine
