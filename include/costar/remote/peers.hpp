// SPDX-License-Identifier: MIT

#pragma once

#include <concepts>
#include <functional>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

namespace costar::remote {

/// Stands for every node.
struct anyone_tag {};
inline constexpr anyone_tag anyone{};

/// Nodes that may do something: `peers{"a", "b"}` by their names, `anyone`, or none when it is default-made.
/// `true` and `false` are all and none.
///
/// A name is what a node says of itself: among nodes that do not show who they are by certificates it keeps
/// out mistakes, and nobody who lies.
///
/// Thread safety: a value; any thread.
class peers {
public:
    peers() = default;
    peers(anyone_tag) noexcept : are_all_(true) {}
    template <std::same_as<bool> Bool>
    peers(Bool everybody) noexcept : are_all_(everybody)
    {}
    peers(std::initializer_list<std::string> names) : names_(names) {}

    /// Is a node with this name among them? One without a name is among all, and else among none.
    bool contains(std::string_view name) const;

private:
    bool are_all_ = false;
    std::set<std::string, std::less<>> names_;
};

}  // namespace costar::remote
