// SPDX-License-Identifier: MIT

#include <costar/kernel/send_async.hpp>

namespace costar::machine {

bool send_awaiter::is_delivered()
{
    station& post = station::of(self_);
    cell* receiver = post.find(target_);
    if (receiver == nullptr || receiver->has_extras || self_.has_extras)
        return false;
    sent_->sender = post.pid_of(self_);
    post.deliver(*receiver, std::exchange(sent_, nullptr));
    return true;
}

void send_awaiter::ask(station& post, std::uint64_t token)
{
    sent_->sender = post.pid_of(self_);
    target_ = post.send_specially(self_, target_, std::exchange(sent_, nullptr), nullptr, token);
}

void send_awaiter::withdraw(station& post, std::uint64_t token) noexcept
{
    post.withdraw(target_, token);
}

const hook_actions family_awaiter::actions{.cancel = [](cancel_hook&) noexcept {},
    .describe = [](const cancel_hook&) { return std::string("its children and tasks to end"); },
    .request = [](const cancel_hook&) noexcept { return awaited_request{.kind = awaited_kind::children}; },
    .stays = true};

std::string send_awaiter::subject() const
{
    return "room in the mailbox of " + target_.to_string();
}

}  // namespace costar::machine
