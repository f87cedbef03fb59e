// SPDX-License-Identifier: MIT

#include <costar/actor/context.hpp>

#include <costar/kernel/extras.hpp>
#include <costar/kernel/spawned_child.hpp>

#include <stdexcept>

namespace costar {

using namespace machine;

class context::faces final : public cell_faces {
public:
    context& face_of(cell& self) const noexcept override { return context_of(self); }
};

const cell_faces& context::all_faces() noexcept
{
    static constexpr faces all;
    return all;
}

message context::try_receive()
{
    if (is_cancelled())
        return message::none_at_end();
    if (has_receiver())
        receive_awaiter(*this).refuse_second(*this);
    if (first == nullptr)
        return {};
    static_cast<void>(home().spend());
    message taken = receive_awaiter(*this).await_resume();
    if (!taken)
        was_told_end = false;  // by a pill, which cannot be told from nothing here
    return taken;
}

task<std::vector<message>> context::receive_batch(std::size_t most)
{
    std::vector<message> all;
    if (message taken = co_await receive())
        all.push_back(std::move(taken));
    while (!all.empty() && all.size() < most) {
        message taken = try_receive();
        if (!taken)
            break;
        all.push_back(std::move(taken));
    }
    co_return all;
}

const headers& context::headers() const noexcept
{
    static const costar::headers none;
    return current != nullptr ? station::headers_of(*current) : none;
}

void context::forward_specially(costar::pid to, message&& received)
{
    std::unique_ptr<costar::headers> with;
    if (!received.headers().empty())
        with = std::make_unique<costar::headers>(received.headers());
    envelope* passed = received.release();
    extras()->with.erase(passed);
    post().send_specially(*this, to, passed, std::move(with));
}

stop_request context::stop(costar::pid target)
{
    if (target == pid())
        stop();
    else
        post().stop(target, 0);
    return stop_request(*this, target, true);
}

stop_request context::poison(costar::pid target)
{
    post().send(target, poison_pill{}, pid());
    return stop_request(*this, target);
}

void context::spawn_task(task<> work)
{
    spawned_child::start(*this, std::move(work));
}

}  // namespace costar
