// SPDX-License-Identifier: MIT

#include "code.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace costar::capnpc {

namespace {

constexpr std::size_t step = 4;

bool is_of_name(char letter) noexcept
{
    return letter == '_' || (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
        (letter >= 'A' && letter <= 'Z');
}

std::string blanks(std::size_t count)
{
    return std::string(count, ' ');
}

/// As many items into each line as it takes; all lines but the first are indented.
std::vector<std::string> fill(
    std::string begin, const std::vector<std::string>& items, std::string_view tail, std::size_t indent)
{
    std::vector<std::string> made;
    std::string now = std::move(begin);
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::string item = items[i] + (i + 1 < items.size() ? "," : std::string(tail));
        const std::string_view space = i == 0 ? "" : " ";
        if (now.size() + space.size() + item.size() > code::columns) {
            made.push_back(std::move(now));
            now = blanks(indent) + item;
        } else {
            now += std::string(space) + item;
        }
    }
    made.push_back(std::move(now));
    return made;
}

}  // namespace

void code::line(std::string_view text)
{
    text_ += text;
    text_ += '\n';
}

void code::line(std::size_t indent, std::string_view text)
{
    // What cannot be broken, as a long text, is left as it is.
    if (indent + text.size() > columns) {
        line(blanks(indent) + "// clang-format off");
        line(blanks(indent) + std::string(text));
        line(blanks(indent) + "// clang-format on");
    } else {
        line(blanks(indent) + std::string(text));
    }
}

void code::gap()
{
    if (!text_.empty() && !text_.ends_with("\n\n"))
        text_ += '\n';
}

void code::lines(std::size_t indent, const std::vector<std::string>& all)
{
    const bool fits =
        std::ranges::all_of(all, [](const std::string& each) { return each.size() <= columns; });
    if (!fits)
        line(blanks(indent) + "// clang-format off");
    for (const std::string& each : all)
        line(each);
    if (!fits)
        line(blanks(indent) + "// clang-format on");
}

void code::list(std::size_t indent, std::string_view head, const std::vector<std::string>& items,
    std::string_view tail, breaks where)
{
    const std::string begin = blanks(indent) + std::string(head);
    const std::string rest = fmt::format("{}{}", fmt::join(items, ", "), tail);
    if (begin.size() + rest.size() <= columns || items.empty())
        return lines(indent, {begin + rest});
    if (where == breaks::early && indent + step + rest.size() <= columns)
        return lines(indent, {begin, blanks(indent + step) + rest});
    std::vector<std::string> filled = fill(begin, items, tail, indent + step);
    if (const std::size_t equals = begin.find(" = "); where == breaks::late && equals != std::string::npos) {
        std::vector<std::string> other =
            fill(blanks(indent + step) + begin.substr(equals + 3), items, tail, indent + 2 * step);
        other.insert(other.begin(), begin.substr(0, equals + 2));
        if (other.size() <= filled.size())
            filled = std::move(other);
    }
    lines(indent, filled);
}

void code::assign(std::size_t indent, std::string_view left, std::string_view head,
    const std::vector<std::string>& items, std::string_view tail)
{
    const std::string rest = fmt::format("{}{}{}", head, fmt::join(items, ", "), tail);
    const bool fits_below =
        indent + left.size() + 3 + rest.size() > columns && indent + step + rest.size() <= columns;
    if (fits_below)
        return lines(indent, {fmt::format("{}{} =", blanks(indent), left), blanks(indent + step) + rest});
    if (indent + left.size() + 3 + head.size() <= columns || items.empty())
        return list(indent, fmt::format("{} = {}", left, head), items, tail);
    line(indent, fmt::format("{} =", left));
    list(indent + step, head, items, tail);
}

void code::function(std::string_view result, std::string_view name,
    const std::vector<std::string>& parameters, std::string_view tail)
{
    if (result.size() + 1 + name.size() <= columns)
        return list(0, fmt::format("{} {}", result, name), parameters, tail);
    line(0, result);
    list(0, name, parameters, tail);
}

void code::doc(std::size_t indent, std::string_view text)
{
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string one(text.substr(0, end));
        text.remove_prefix(std::min(text.size(), end + 1));
        std::ranges::replace(one, '\t', ' ');
        // One that ends with a backslash would go on in the next line.
        while (!one.empty() && (one.back() == ' ' || one.back() == '\\' || one.back() == '\r'))
            one.pop_back();
        const std::size_t width = columns - indent - step;
        while (one.size() > width) {
            std::size_t cut = one.rfind(' ', width);
            if (cut == std::string::npos || cut == 0)
                cut = one.find(' ', width);
            if (cut == std::string::npos)
                break;
            line(fmt::format("{}/// {}", blanks(indent), one.substr(0, cut)));
            one.erase(0, cut + 1);
        }
        line(one.empty() ? blanks(indent) + "///" : fmt::format("{}/// {}", blanks(indent), one));
    }
}

void code::enter(std::string_view space)
{
    if (space == space_)
        return;
    if (!space_.empty()) {
        gap();
        line(fmt::format("}}  // namespace {}", space_));
    }
    space_ = space;
    gap();
    if (!space_.empty())
        line(fmt::format("namespace {} {{\n", space_));
}

std::string shortened(std::string_view type, std::string_view space, const std::vector<std::string>& taken)
{
    const std::string prefix = space.empty() ? "::" : fmt::format("::{}::", space);
    std::string made;
    while (!type.empty()) {
        const std::size_t found = type.find(prefix);
        if (found == std::string_view::npos)
            break;
        const bool is_whole = found == 0 || !is_of_name(type[found - 1]);
        const std::string_view rest = type.substr(found + prefix.size());
        const auto end = std::ranges::find_if_not(rest, is_of_name);
        const std::string name(rest.begin(), end);
        made += type.substr(0, found);
        if (!is_whole || std::ranges::find(taken, name) != taken.end())
            made += prefix;
        type = rest;
    }
    return made + std::string(type);
}

}  // namespace costar::capnpc
