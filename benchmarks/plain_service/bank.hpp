// SPDX-License-Identifier: MIT

#pragma once

#include "../../demos/service/payload.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace plain {

/// Accounts in a table whose parts have locks of their own.
///
/// Thread safety: from any thread.
class bank {
public:
    /// Gives the new balance. Errors: throws `service::refusal`.
    std::int64_t deposit(const std::string& name, std::int64_t amount);

    /// Gives what is left. Errors: throws `service::refusal`.
    std::int64_t transfer(const service::transfer_order& order);

    std::int64_t balance(const std::string& name) const;

    std::size_t size() const;

private:
    struct alignas(128) part {
        mutable std::mutex mutex;
        std::unordered_map<std::string, std::int64_t> balances;
    };

    part& part_of(std::string_view name)
    {
        return parts_[std::hash<std::string_view>{}(name) % parts_.size()];
    }
    const part& part_of(std::string_view name) const { return const_cast<bank&>(*this).part_of(name); }

    std::array<part, 64> parts_;
};

}  // namespace plain
