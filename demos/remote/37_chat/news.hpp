// SPDX-License-Identifier: MIT

#pragma once

#include <costar/kernel/message.hpp>

#include <string>
#include <string_view>

namespace chat {

struct entry;
struct present;

/// What a browser wishes.
struct wish {
    enum class kind {
        none,
        join,
        say,
        who
    };

    kind what = kind::none;
    std::string text{};
};

/// Reads {"join": "ada"}, {"say": "hello"} or {"who": true}; `none` for all else.
wish read_wish(std::string_view text);

/// The JSON by which a browser is told.
std::string json_of(const entry& told);
std::string json_of(const present& told);
std::string json_of(costar::message& news);
std::string notice(std::string_view text);

}  // namespace chat
