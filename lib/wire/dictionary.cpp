// SPDX-License-Identifier: MIT

#include <costar/wire/dictionary.hpp>

#include <fmt/format.h>

#include <stdexcept>

namespace costar::wire {

const codec* dictionary::find(const machine::message_type& type) const noexcept
{
    const auto found = by_type_.find(&type);
    return found != by_type_.end() ? found->second : nullptr;
}

const codec* dictionary::find(std::uint64_t id) const noexcept
{
    const auto found = by_id_.find(id);
    return found != by_id_.end() ? found->second : nullptr;
}

void dictionary::add_message(const codec& known)
{
    const auto [found, is_new] = by_id_.emplace(known.id, &known);
    if (!is_new && found->second != &known)
        throw std::logic_error(
            fmt::format("{} and {} are messages with the same schema (id {:#x}); one that is "
                        "read could be either",
                found->second->type->name(), known.type->name(), known.id));
    add_answer(known);
}

void dictionary::add_answer(const codec& known)
{
    by_type_.emplace(known.type, &known);
}

}  // namespace costar::wire
