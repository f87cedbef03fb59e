// SPDX-License-Identifier: MIT

#pragma once

#include "link.hpp"

#include <costar/actor/context.hpp>

#include <exception>
#include <string>

namespace costar::remote {

/// Tells the log and who subscribes that a link has ended, or that none was made.
void tell_of_loss(context& self, switchboard& board, const std::string& name, const std::string& address,
    const std::string& why, bool was_there);

/// The same of who was not let in, on either side.
void tell_of_refusal(
    switchboard& board, const link_place& place, const std::string& address, const std::string& why);

/// The same of a connection that has not got as far as greetings.
void tell_of_failure(
    context& self, switchboard& board, const std::string& address, const std::exception_ptr& failed);

}  // namespace costar::remote
