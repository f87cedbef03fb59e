// SPDX-License-Identifier: MIT

#include "printable.hpp"

#include <costar/calendar/cron.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace costar {

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

}  // namespace

/// Reads an expression from left to right.
class cron::reader {
public:
    explicit reader(std::string_view text) noexcept : text_(text) {}

    cron read()
    {
        const std::vector<std::size_t> begins = find_fields();
        refuse_words_of_others(begins);
        if (begins.size() == 1 && text_[begins.front()] == '@')
            return read_macro(begins.front());
        if (begins.size() != 5 && begins.size() != 6)
            refuse(fmt::format("it has {} fields where 5, or 6 with seconds, are needed", begins.size()));
        auto begin = begins.begin();
        if (begins.size() == 6)
            made_.seconds_ = read_field(second_field, *begin++);
        made_.minutes_ = read_field(minute_field, *begin++);
        made_.hours_ = read_field(hour_field, *begin++);
        made_.is_interval_ = made_.hours_ == every_hour ||
            std::any_of(begins.begin(), begin, [this](std::size_t at) { return text_[at] == '*'; });
        made_.either_day_ = !is_any(begin[0]) && !is_any(begin[2]);
        made_.days_.days = static_cast<std::uint32_t>(read_field(day_field, *begin++));
        made_.months_ = static_cast<std::uint16_t>(read_field(month_field, *begin++));
        made_.weekdays_.days = week_of(read_field(weekday_field, *begin));
        made_.weekdays_.last = week_of(made_.weekdays_.last);
        return made_;
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

    std::string_view word_at(std::size_t begin) const noexcept
    {
        return text_.substr(begin, text_.find_first_of(" \t", begin) - begin);
    }

    /// What other systems put into an expression is said in another way here.
    void refuse_words_of_others(const std::vector<std::size_t>& begins) const
    {
        const std::string_view first = begins.empty() ? std::string_view() : word_at(begins.front());
        if (is_same_word(first, "@every"))
            refuse("an interval is no time of the calendar; use send_every, which takes a duration");
        if (is_same_word(first, "@reboot"))
            refuse("a start is no time of the calendar; send the message when the actor starts");
        if (is_same_word(first.substr(0, 3), "tz=") || is_same_word(first.substr(0, 8), "cron_tz="))
            refuse("a zone does not stand in the expression; give it beside it, as in cron_options::zone");
    }

    cron read_macro(std::size_t begin) const
    {
        const std::string_view name = word_at(begin);
        for (const macro& known : macros)
            if (is_same_word(name, known.name))
                return reader(known.meaning).read();
        refuse(
            fmt::format("'{}' is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually",
                printable(name)));
    }

    std::uint64_t read_field(const field& meant, std::size_t begin)
    {
        field_ = &meant;
        at_ = begin;
        if (peek('?'))
            return read_question_mark();
        std::uint64_t values = read_item();
        while (take(','))
            values |= read_item();
        if (!is_over())
            refuse(at_, fmt::format("{} is not understood", quoted_at(at_)));
        return values;
    }

    std::uint64_t read_question_mark()
    {
        const std::size_t begin = at_++;
        if (!has_days())
            refuse(begin, "'?' is for days alone; write *");
        if (!is_over())
            refuse(begin, "'?' stands by itself");
        return values_of(field_->first, whole_last(), 1);
    }

    /// A value, a range or `*`, with or without a step, or a day that is found by looking at the month.
    std::uint64_t read_item()
    {
        if (field_ == &day_field && take_letter('l')) {
            read_last_day();
            return 0;
        }
        const std::size_t begin = at_;
        unsigned first = field_->first;
        unsigned last = whole_last();
        if (!take('*')) {
            first = read_value();
            last = first;
            if (read_day_of_month(first))
                return 0;
            if (take('-'))
                last = read_end_of_range(begin, first);
            else if (peek('/'))
                last = std::max(first, whole_last());
        }
        return values_of(first, last, read_step());
    }

    /// Behind an `L`: which one before the last, or `W`.
    void read_last_day()
    {
        if (take_letter('w')) {
            made_.days_.nearest |= 1;
            return;
        }
        const std::size_t place = at_ + 1;
        const unsigned before = take('-') ? read_number() : 0;
        if (before > 30)
            refuse(place, fmt::format("no month has {} days before its last", before));
        made_.days_.from_the_end |= std::uint32_t{1} << before;
    }

    /// Behind a value: what makes it a day that is found by looking at the month. False when nothing does.
    bool read_day_of_month(unsigned value)
    {
        if (field_ == &day_field && take_letter('w')) {
            made_.days_.nearest |= std::uint32_t{1} << value;
            return true;
        }
        if (field_ != &weekday_field)
            return false;
        if (take_letter('l')) {
            made_.weekdays_.last |= static_cast<std::uint8_t>(1U << value);
            return true;
        }
        if (!take('#'))
            return false;
        const std::size_t place = at_;
        const unsigned number = read_number();
        if (number < 1 || number > 5)
            refuse(place, fmt::format("{} is not from 1 to 5", number));
        made_.weekdays_.numbered |= std::uint64_t{1} << (7 * number + value % 7);
        return true;
    }

    unsigned read_end_of_range(std::size_t begin, unsigned first)
    {
        const std::size_t middle = at_;
        unsigned last = read_value();
        if (field_ == &weekday_field && last == 0 && first != 0)
            last = 7;  // fri-sun
        if (last < first)
            refuse(begin, runs_backwards(begin, middle, first, last));
        return last;
    }

    std::string runs_backwards(std::size_t begin, std::size_t middle, unsigned first, unsigned last) const
    {
        const std::string_view from = text_.substr(begin, middle - 1 - begin);
        const std::string_view to = text_.substr(middle, at_ - middle);
        std::string text = fmt::format("the range {}-{} runs backwards", from, to);
        if (!peek('/')) {
            const std::string upper = first == whole_last() ? "" : "-" + name_of(whole_last());
            const std::string lower = last == field_->first ? "" : name_of(field_->first) + "-";
            text += fmt::format("; write {}{},{}{}", from, upper, lower, to);
        }
        return text;
    }

    unsigned read_step()
    {
        if (!take('/'))
            return 1;
        const std::size_t place = at_;
        const unsigned step = read_number();
        if (step == 0)
            refuse(place, "a step of 0 leads nowhere");
        return step;
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
        for (std::size_t i = 0; i < field_->words.size(); ++i) {
            if (is_same_word(word, field_->words[i]))
                return field_->first + static_cast<unsigned>(i);
            if (field_ == &weekday_field && is_same_word(word.substr(0, 3), field_->words[i]) &&
                is_same_word(word.substr(3), "l")) {
                --at_;  // friL
                return static_cast<unsigned>(i);
            }
        }
        if (field_ == &weekday_field && is_same_word(word, "l"))
            refuse(begin,
                "'L' alone means Saturday to some and nothing to others; write 6, or 6L for the last one");
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
            refuse(at_, is_over() ? "a value is missing" : fmt::format("{} is no value", quoted_at(at_)));
        return value;
    }

    static std::uint64_t values_of(unsigned first, unsigned last, unsigned step) noexcept
    {
        std::uint64_t values = 0;
        for (unsigned value = first; value <= last; value += step)
            values |= std::uint64_t{1} << value;
        return values;
    }

    /// Both numbers of Sunday are one.
    static std::uint8_t week_of(std::uint64_t days) noexcept
    {
        return static_cast<std::uint8_t>((days | days >> 7) & 0x7f);
    }

    /// The last value that `*` means; of two numbers for Sunday it is the first.
    unsigned whole_last() const noexcept { return field_ == &weekday_field ? 6 : field_->last; }
    bool has_days() const noexcept { return field_ == &day_field || field_ == &weekday_field; }

    std::string name_of(unsigned value) const
    {
        return field_->words.empty() ? std::to_string(value)
                                     : std::string(field_->words[value - field_->first]);
    }

    bool is_space(std::size_t i) const noexcept { return text_[i] == ' ' || text_[i] == '\t'; }
    bool is_any(std::size_t begin) const noexcept { return text_[begin] == '*' || text_[begin] == '?'; }
    bool is_over() const noexcept { return at_ == text_.size() || is_space(at_); }
    bool peek(char wanted) const noexcept { return !is_over() && text_[at_] == wanted; }

    bool take(char wanted) noexcept
    {
        const bool there = peek(wanted);
        at_ += there;
        return there;
    }

    bool take_letter(char lower) noexcept
    {
        const bool there = !is_over() && is_same_word(text_.substr(at_, 1), {&lower, 1});
        at_ += there;
        return there;
    }

    /// The character at a place, which may be several bytes.
    std::string quoted_at(std::size_t place) const
    {
        std::size_t end = place + 1;
        while (end < text_.size() && (text_[end] & 0xc0) == 0x80)
            ++end;
        return fmt::format("'{}'", printable(text_.substr(place, end - place)));
    }

    [[noreturn]] void refuse(std::string_view why) const
    {
        throw std::invalid_argument(fmt::format("cron expression \"{}\": {}", printable(text_), why));
    }

    [[noreturn]] void refuse(std::size_t place, std::string_view why) const
    {
        refuse(fmt::format("{}, at position {}: {}", field_->name, place + 1, why));
    }

    std::string_view text_;
    const field* field_ = nullptr;
    std::size_t at_ = 0;
    cron made_;
};

cron cron::parse(std::string_view expression)
{
    return reader(expression).read();
}

}  // namespace costar
