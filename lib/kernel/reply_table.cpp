// SPDX-License-Identifier: MIT

#include <costar/kernel/reply_table.hpp>

namespace costar::machine {

std::uint64_t reply_table::expect_in_new_place(reply_waiter& waiter)
{
    entries_.emplace_back().next_free = none;
    free_ = static_cast<std::uint32_t>(entries_.size() - 1);
    return expect(waiter);
}

}  // namespace costar::machine
