// SPDX-License-Identifier: MIT

#include <costar/kernel/middleware.hpp>

#include <costar/kernel/message.hpp>
#include <costar/post/outgoing.hpp>

namespace costar {

using namespace machine;

void middleware::started(context&) {}

bool middleware::receiving(context&, message&)
{
    return true;
}

void middleware::handled(context&, message&, bool) noexcept {}

bool middleware::sending(context&, outgoing&)
{
    return true;
}

void middleware::spawning(context&, spawn_options&) {}
void middleware::posted(context&, std::string_view, std::size_t) noexcept {}
void middleware::emptied(context&) noexcept {}
void middleware::stopped(context&) noexcept {}

}  // namespace costar
