// SPDX-License-Identifier: MIT

#pragma once

#include <chrono>
#include <string>

namespace service {

/// The text of a Date field, made anew when a second has passed on whatever clock `now` is of.
class date_line {
public:
    const std::string& at(std::chrono::nanoseconds now)
    {
        if (text_.empty() || now >= good_until_)
            write(now);
        return text_;
    }

private:
    void write(std::chrono::nanoseconds now);

    std::string text_;
    std::chrono::nanoseconds good_until_{0};
};

}  // namespace service
