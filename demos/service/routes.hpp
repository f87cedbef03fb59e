// SPDX-License-Identifier: MIT

#pragma once

#include "payload.hpp"
#include "teller.hpp"

#include <costar/core/task.hpp>

#include <string_view>

namespace service {

/// Answers a request, whatever happens: what is wrong with it, or here, becomes a status and a reason. `key`
/// is its Idempotency-Key, or empty.
costar::task<response> answer_request(
    costar::context& self, teller& bank, const request& asked, std::string_view key);

/// The account that a WebSocket client asks to watch. Errors: throws `refusal`.
costar::address<account> find_watched(const teller& bank, const request& asked);

}  // namespace service
