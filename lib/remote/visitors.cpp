// SPDX-License-Identifier: MIT

#include "visitors.hpp"

namespace costar::remote {

std::shared_ptr<visitors::place> visitors::take(std::string address)
{
    auto made = std::make_shared<place>(*this, std::move(address));
    const std::lock_guard lock(mutex_);
    if (taken_ >= places_)
        return nullptr;
    ++taken_;
    made->state_ = place::state::arriving;
    return made;
}

std::optional<visitors::dismissed> visitors::dismiss()
{
    const std::lock_guard lock(mutex_);
    if (silent_.empty())
        return std::nullopt;
    place& first = *silent_.front();
    dismissed gone{first.who_, first.address_};
    first.become(place::state::dismissed);
    return gone;
}

visitors::place::~place()
{
    const std::lock_guard lock(all_.mutex_);
    if (state_ == state::outside)
        return;
    become(state::outside);
    --all_.taken_;
}

void visitors::place::belongs_to(pid who)
{
    const std::lock_guard lock(all_.mutex_);
    who_ = who;
    if (state_ != state::arriving)
        return;
    at_ = all_.silent_.insert(all_.silent_.end(), this);
    state_ = state::silent;
}

bool visitors::place::becomes_node()
{
    const std::lock_guard lock(all_.mutex_);
    if (state_ == state::dismissed)
        return false;
    become(state::node);
    return true;
}

bool visitors::place::becomes_client()
{
    const std::lock_guard lock(all_.mutex_);
    if (state_ == state::client)
        return true;
    if (state_ == state::dismissed || all_.clients_ >= all_.clients_max())
        return false;
    become(state::client);
    return true;
}

/// The mutex is held.
void visitors::place::become(state next) noexcept
{
    if (state_ == state::silent)
        all_.silent_.erase(at_);
    if (state_ == state::client)
        --all_.clients_;
    if (next == state::client)
        ++all_.clients_;
    state_ = next;
}

}  // namespace costar::remote
