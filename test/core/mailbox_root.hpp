// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand_context.hpp>

#include <coroutine>
#include <deque>
#include <functional>

namespace support {

/// A root with a mailbox as an actor has one: each of its runs takes one message.
class mailbox_root final : public costar::machine::root_scope,
                           public costar::machine::run_node,
                           public costar::machine::task_owner {
public:
    explicit mailbox_root(costar::machine::strand_context& home) : root_scope(home), body_(run(*this))
    {
        body_.promise().start_under(*this, *this);
        waiter = &body_.promise();
        set_receptive(true);
    }

    void put(bool is_borne)
    {
        home().message_queued(*this);
        waiting_.push_back(is_borne);
        if (is_borne)
            home().message_borne(*this);
        if (!is_ready_) {
            is_ready_ = true;
            home().make_ready(*this);
        }
    }

    std::function<void()> on_message;
    int handled = 0;

    void task_ended(costar::machine::promise_base&) noexcept override {}

private:
    static costar::task<> run(mailbox_root& self)
    {
        struct turn_end {
            mailbox_root& self;
            bool await_ready() const noexcept { return false; }
            void await_suspend(std::coroutine_handle<>) const noexcept
            {
                self.is_ready_ = self.queued() != 0;
                if (self.is_ready_)
                    self.home().make_ready(self);
            }
            void await_resume() const noexcept {}
        };
        for (;;) {
            self.home().message_taken(self);
            if (self.waiting_.front())
                self.home().borne_message_taken(self);
            self.waiting_.pop_front();
            ++self.handled;
            if (self.on_message)
                self.on_message();
            co_await turn_end{self};
        }
    }

    std::deque<bool> waiting_;  // the messages: whether each is borne
    bool is_ready_ = false;
    costar::task<> body_;
};

}  // namespace support
