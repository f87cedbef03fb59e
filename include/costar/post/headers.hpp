// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace costar {

/// What travels with a message beside it: names with values, such as the identity of a trace.
///
/// A message that carries some is slower by an allocation and a look-up; one that carries none pays nothing.
/// Meant for a handful: `set` and `find` compare names one by one, and a copy is one of each.
///
/// Thread safety: a value.
class headers {
public:
    headers() = default;
    headers(std::initializer_list<std::pair<std::string, std::string>> all) : all_(all) {}

    /// Adds a header, or gives it another value.
    void set(std::string_view name, std::string_view value)
    {
        for (auto& each : all_)
            if (each.first == name) {
                each.second = value;
                return;
            }
        all_.emplace_back(name, value);
    }

    /// The value of a header, nothing when there is none of this name.
    std::optional<std::string_view> find(std::string_view name) const noexcept
    {
        for (const auto& each : all_)
            if (each.first == name)
                return each.second;
        return std::nullopt;
    }

    bool empty() const noexcept { return all_.empty(); }
    std::size_t size() const noexcept { return all_.size(); }
    auto begin() const noexcept { return all_.begin(); }
    auto end() const noexcept { return all_.end(); }
    friend bool operator==(const headers&, const headers&) = default;

private:
    std::vector<std::pair<std::string, std::string>> all_;
};

}  // namespace costar
