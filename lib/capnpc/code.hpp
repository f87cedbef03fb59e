// SPDX-License-Identifier: MIT

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace costar::capnpc {

/// Where a list breaks that is too long for its line.
enum class breaks {
    /// Behind its bracket where the rest fits into one line, as the arguments of functions.
    early,
    /// Where the line is full, as the arguments of templates.
    late,
};

/// The text of a source file, formatted as it grows.
class code {
public:
    static constexpr std::size_t columns = 110;

    /// One line, or several with their own breaks.
    void line(std::string_view text);
    void line(std::size_t indent, std::string_view text);

    /// An empty line, where there is none yet.
    void gap();

    /// `head`, the items with commas between them, and `tail`, on as many lines as it takes.
    void list(std::size_t indent, std::string_view head, const std::vector<std::string>& items,
        std::string_view tail, breaks where = breaks::early);

    /// An assignment of such a list, `left = head(items)tail`.
    void assign(std::size_t indent, std::string_view left, std::string_view head,
        const std::vector<std::string>& items, std::string_view tail);

    /// The beginning of a function: what it gives, its name and bracket, its parameters, and what stands
    /// behind.
    void function(std::string_view result, std::string_view name, const std::vector<std::string>& parameters,
        std::string_view tail);

    /// A comment for a declaration, `///` before each line. Nothing for an empty one.
    void doc(std::size_t indent, std::string_view text);

    /// From here on everything lies in this namespace, "a::b", or in none.
    void enter(std::string_view space);

    const std::string& text() const noexcept { return text_; }

private:
    void lines(std::size_t indent, const std::vector<std::string>& all);

    std::string text_;
    std::string space_;
};

/// `type` as it may be written in this namespace: without it where no name of `taken` is in the way.
std::string shortened(std::string_view type, std::string_view space, const std::vector<std::string>& taken);

}  // namespace costar::capnpc
