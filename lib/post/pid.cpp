// SPDX-License-Identifier: MIT

#include <costar/post/pid.hpp>

#include <charconv>

namespace costar {

namespace {

/// Takes a decimal number off the front of `text`, without sign and without leading zeros.
template <class Number>
bool take_number(std::string_view& text, Number& number) noexcept
{
    if (text.empty() || (text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9'))
        return false;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{})
        return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

bool take(std::string_view& text, std::string_view expected) noexcept
{
    if (!text.starts_with(expected))
        return false;
    text.remove_prefix(expected.size());
    return true;
}

}  // namespace

std::string pid::to_string() const
{
    return fmt::format("{}/${}-{}-{}", node(), strand(), slot(), generation());
}

std::optional<pid> pid::parse(std::string_view text) noexcept
{
    std::uint32_t node = 0;
    std::uint16_t strand = 0;
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    if (take_number(text, node) && take(text, "/$") && take_number(text, strand) && take(text, "-") &&
        take_number(text, slot) && take(text, "-") && take_number(text, generation) && text.empty())
        return pid(node, strand, slot, generation);
    return std::nullopt;
}

}  // namespace costar
