// SPDX-License-Identifier: MIT

#include <costar/core/task.hpp>

#include <fmt/format.h>

#include <stdexcept>
#include <string_view>

namespace costar::machine {

void refuse_empty_task()
{
    throw std::logic_error("the task is empty: it was moved from, or made of nothing");
}

std::string async_stack(const promise_base& innermost)
{
    std::string text;
    for (const promise_base* each = &innermost; each != nullptr; each = each->parent()) {
        const std::string_view file = each->where().file_name();
        const std::size_t slash = file.rfind('/');
        text += fmt::format("{}{}:{}", text.empty() ? "" : " < ",
            slash == std::string_view::npos ? file : file.substr(slash + 1), each->where().line());
    }
    return text;
}

}  // namespace costar::machine
