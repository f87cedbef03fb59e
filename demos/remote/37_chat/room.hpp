// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/task.hpp>
#include <costar/wire/dictionary.hpp>

#include <cstddef>

namespace costar {
class context;
}

namespace chat {

inline constexpr std::size_t nick_bytes_max = 24;
inline constexpr std::size_t text_bytes_max = 1000;
inline constexpr std::size_t people_max = 100;

/// The messages of a room, which its nodes send and take.
costar::wire::dictionary all_words();

/// An actor that tells all what one says. It is indifferent to who they are: actors of its node or of others.
///
/// Each is watched, so that the others hear of one that has ended or is out of reach; whoever watches the
/// room hears of its end.
costar::task<> room(costar::context& self);

}  // namespace chat
