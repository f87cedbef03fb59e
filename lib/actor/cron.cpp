// SPDX-License-Identifier: MIT

#include <costar/actor/cron.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace costar {

using namespace std::chrono;

namespace {

/// What may stand in a field.
struct field {
    std::string_view name;
    unsigned first;
    unsigned last;
    std::span<const std::string_view> words = {};  // for the values from `first` on
};

constexpr std::string_view month_words[] = {
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view weekday_words[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

constexpr field second_field{"second", 0, 59};
constexpr field minute_field{"minute", 0, 59};
constexpr field hour_field{"hour", 0, 23};
constexpr field day_field{"day of the month", 1, 31};
constexpr field month_field{"month", 1, 12, month_words};
constexpr field weekday_field{"day of the week", 0, 7, weekday_words};

struct macro {
    std::string_view name;
    std::string_view meaning;
};

constexpr macro macros[] = {{"@hourly", "0 * * * *"}, {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * sun"}, {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 jan *"},
    {"@annually", "0 0 1 jan *"}};

constexpr std::uint64_t every_hour = (std::uint64_t{1} << 24) - 1;
constexpr int months_ahead_max = 50 * 12;
constexpr local_days calendar_begin{year(1) / January / 1};
constexpr local_days calendar_end{year(10000) / January / 1};

bool is_letter(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

bool is_same_word(std::string_view written, std::string_view lower) noexcept
{
    return std::equal(written.begin(), written.end(), lower.begin(), lower.end(),
        [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

/// The first bit of `mask` that is set, from bit `from` on; -1 when there is none.
int next_bit(std::uint64_t mask, int from) noexcept
{
    const std::uint64_t left = from < 64 ? mask >> from : 0;
    return left == 0 ? -1 : from + std::countr_zero(left);
}

bool has_bit(std::uint64_t mask, unsigned bit) noexcept
{
    return (mask >> bit & 1) != 0;
}

}  // namespace

/// Reads an expression from left to right.
class cron::reader {
public:
    explicit reader(std::string_view text) noexcept : text_(text) {}

    cron read()
    {
        const std::vector<std::size_t> begins = find_fields();
        if (begins.size() == 1 && text_[begins.front()] == '@')
            return read_macro(begins.front());
        if (begins.size() != 5 && begins.size() != 6)
            throw std::invalid_argument(
                fmt::format("cron expression \"{}\": it has {} fields where 5, or 6 with seconds, are needed",
                    text_, begins.size()));
        cron made;
        auto begin = begins.begin();
        if (begins.size() == 6)
            made.seconds_ = read_field(second_field, *begin++);
        made.minutes_ = read_field(minute_field, *begin++);
        made.hours_ = read_field(hour_field, *begin++);
        made.either_day_ = text_[begin[0]] != '*' && text_[begin[2]] != '*';
        made.days_ = static_cast<std::uint32_t>(read_field(day_field, *begin++));
        made.months_ = static_cast<std::uint16_t>(read_field(month_field, *begin++));
        const std::uint64_t weekdays = read_field(weekday_field, *begin);
        made.weekdays_ = static_cast<std::uint8_t>((weekdays | weekdays >> 7) & 0x7f);  // 7 is Sunday too
        return made;
    }

private:
    std::vector<std::size_t> find_fields() const
    {
        std::vector<std::size_t> begins;
        for (std::size_t i = 0; i < text_.size(); ++i)
            if (!is_space(i) && (i == 0 || is_space(i - 1)))
                begins.push_back(i);
        return begins;
    }

    cron read_macro(std::size_t begin) const
    {
        const std::string_view name = text_.substr(begin, text_.find_first_of(" \t", begin) - begin);
        for (const macro& known : macros)
            if (is_same_word(name, known.name))
                return reader(known.meaning).read();
        throw std::invalid_argument(fmt::format(
            "cron expression \"{}\": '{}' is none of @hourly, @daily, @midnight, @weekly, @monthly, "
            "@yearly, @annually",
            text_, name));
    }

    std::uint64_t read_field(const field& meant, std::size_t begin)
    {
        field_ = &meant;
        at_ = begin;
        std::uint64_t values = read_item();
        while (take(','))
            values |= read_item();
        if (!is_over())
            refuse(at_, fmt::format("'{}' is not understood", text_[at_]));
        return values;
    }

    /// A value, a range or `*`, with or without a step.
    std::uint64_t read_item()
    {
        const std::size_t begin = at_;
        unsigned first = field_->first;
        unsigned last = whole_last();
        if (!take('*')) {
            first = read_value();
            last = first;
            if (take('-')) {
                last = read_value();
                if (field_ == &weekday_field && last == 0 && first != 0)
                    last = 7;  // fri-sun
                if (last < first)
                    refuse(begin, fmt::format("the range runs backwards from {} to {}", first, last));
            } else if (peek('/')) {
                last = std::max(first, whole_last());
            }
        }
        unsigned step = 1;
        if (take('/')) {
            const std::size_t place = at_;
            step = read_number();
            if (step == 0)
                refuse(place, "a step of 0 leads nowhere");
        }
        std::uint64_t values = 0;
        for (unsigned value = first; value <= last; value += step)
            values |= std::uint64_t{1} << value;
        return values;
    }

    unsigned read_value()
    {
        const std::size_t begin = at_;
        if (!is_over() && is_letter(text_[at_]))
            return read_word();
        const unsigned value = read_number();
        if (value < field_->first || value > field_->last)
            refuse(begin, fmt::format("{} is not from {} to {}", value, field_->first, field_->last));
        return value;
    }

    unsigned read_word()
    {
        const std::size_t begin = at_;
        while (!is_over() && is_letter(text_[at_]))
            ++at_;
        const std::string_view word = text_.substr(begin, at_ - begin);
        for (std::size_t i = 0; i < field_->words.size(); ++i)
            if (is_same_word(word, field_->words[i]))
                return field_->first + static_cast<unsigned>(i);
        if (field_->words.empty())
            refuse(begin, fmt::format("'{}' is no number", word));
        refuse(begin,
            fmt::format("'{}' is none of {} to {}", word, field_->words.front(), field_->words.back()));
    }

    unsigned read_number()
    {
        const std::size_t begin = at_;
        unsigned value = 0;
        while (!is_over() && is_digit(text_[at_])) {
            if (at_ - begin == 4)
                refuse(begin, "the number is too long");
            value = value * 10 + static_cast<unsigned>(text_[at_++] - '0');
        }
        if (at_ == begin)
            refuse(at_, is_over() ? "a value is missing" : fmt::format("'{}' is no value", text_[at_]));
        return value;
    }

    /// The last value that `*` means; of two numbers for Sunday it is the first.
    unsigned whole_last() const noexcept { return field_ == &weekday_field ? 6 : field_->last; }

    bool is_space(std::size_t i) const noexcept { return text_[i] == ' ' || text_[i] == '\t'; }
    bool is_over() const noexcept { return at_ == text_.size() || is_space(at_); }
    bool peek(char wanted) const noexcept { return !is_over() && text_[at_] == wanted; }
    bool take(char wanted) noexcept
    {
        const bool there = peek(wanted);
        at_ += there;
        return there;
    }

    [[noreturn]] void refuse(std::size_t place, const std::string& why) const
    {
        throw std::invalid_argument(fmt::format(
            "cron expression \"{}\": {}, at position {}: {}", text_, field_->name, place + 1, why));
    }

    std::string_view text_;
    const field* field_ = nullptr;
    std::size_t at_ = 0;
};

cron cron::parse(std::string_view expression)
{
    return reader(expression).read();
}

bool cron::is_for_every_hour() const noexcept
{
    return hours_ == every_hour;
}

std::optional<sys_seconds> cron::next_after(sys_seconds after, const time_zone& zone) const
{
    after = std::clamp(
        after, sys_seconds(calendar_begin.time_since_epoch()), sys_seconds(calendar_end.time_since_epoch()));
    if (!is_for_every_hour()) {
        // Moments come in the order of what clocks show; where these are set back, the second time is left
        // out by looking for a later one.
        for (local_seconds from = zone.to_local(after) + 1s;;) {
            const std::optional<local_seconds> shown = next_shown(from);
            if (!shown)
                return std::nullopt;
            if (const sys_seconds meant = zone.to_sys(*shown); meant > after)
                return meant;
            from = *shown + 1s;
        }
    }
    for (sys_seconds from = after + 1s;;) {
        const time_zone::period now = zone.period_at(from);
        const std::optional<local_seconds> shown =
            next_shown(local_seconds(from.time_since_epoch() + now.offset));
        if (!shown)
            return std::nullopt;
        if (const sys_seconds meant(shown->time_since_epoch() - now.offset); meant < now.end)
            return meant;
        from = now.end;
    }
}

bool cron::matches(local_seconds shown) const noexcept
{
    const local_days day = floor<days>(shown);
    return matches_day(day) && next_in_day(shown - day) == shown - day;
}

bool cron::matches_day(local_days day) const noexcept
{
    const year_month_day date(day);
    if (!has_bit(months_, static_cast<unsigned>(date.month())))
        return false;
    const bool of_month = has_bit(days_, static_cast<unsigned>(date.day()));
    const bool of_week = has_bit(weekdays_, weekday(day).c_encoding());
    return either_day_ ? of_month || of_week : of_month && of_week;
}

/// The first time of a day from `from` on, since midnight.
std::optional<seconds> cron::next_in_day(seconds from) const noexcept
{
    const hh_mm_ss clock(from);
    const int first_hour = static_cast<int>(clock.hours().count());
    const int first_minute = static_cast<int>(clock.minutes().count());
    const int first_second = static_cast<int>(clock.seconds().count());
    const auto time = [](int hour, int minute, int second) {
        return hours(hour) + minutes(minute) + seconds(second);
    };
    if (has_bit(hours_, static_cast<unsigned>(first_hour))) {
        if (has_bit(minutes_, static_cast<unsigned>(first_minute)))
            if (const int second = next_bit(seconds_, first_second); second >= 0)
                return time(first_hour, first_minute, second);
        if (const int minute = next_bit(minutes_, first_minute + 1); minute >= 0)
            return time(first_hour, minute, next_bit(seconds_, 0));
    }
    if (const int hour = next_bit(hours_, first_hour + 1); hour >= 0)
        return time(hour, next_bit(minutes_, 0), next_bit(seconds_, 0));
    return std::nullopt;
}

/// The first time of the expression from `from` on, as a clock shows it that is never set.
std::optional<local_seconds> cron::next_shown(local_seconds from) const noexcept
{
    const local_days today = floor<days>(from);
    if (today >= calendar_end)
        return std::nullopt;
    if (matches_day(today))
        if (const std::optional<seconds> time = next_in_day(from - today))
            return today + *time;
    const seconds time = *next_in_day(0s);
    year_month month_in_turn = year_month_day(today).year() / year_month_day(today).month();
    for (int i = 0; i <= months_ahead_max; ++i, month_in_turn += months(1)) {
        if (!has_bit(months_, static_cast<unsigned>(month_in_turn.month())))
            continue;
        const local_days end = local_days(month_in_turn / last) + days(1);
        for (local_days day = std::max(local_days(month_in_turn / 1), today + days(1)); day < end;
            day += days(1))
            if (matches_day(day))
                return day < calendar_end ? std::optional(day + time) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace costar
