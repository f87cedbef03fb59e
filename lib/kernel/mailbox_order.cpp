// SPDX-License-Identifier: MIT

#include <costar/kernel/mailbox_order.hpp>

#include <costar/kernel/cell.hpp>

#include <algorithm>
#include <utility>

namespace costar::machine {

std::uint8_t mailbox_order::level_of(const envelope& waiting) const noexcept
{
    if (waiting.type == &type_of<poison_pill>)
        return by_priority_ ? lowest : ordinary;
    if (waiting.type->level == nullptr)
        return ordinary;
    const std::uint8_t level = waiting.type->level(&waiting + 1);
    return by_priority_ || level == control ? level : ordinary;
}

bool mailbox_order::is_exempt(const envelope& sent) const noexcept
{
    return sent.type == &type_of<poison_pill> || level_of(sent) == control;
}

/// The last message of this level, or of the next one above it that has some; null when there is none.
envelope* mailbox_order::last_from(unsigned level) const noexcept
{
    envelope* found = nullptr;
    for (; level <= control && found == nullptr; ++level)
        found = tails_[level];
    return found;
}

void mailbox_order::insert(cell& self, envelope* sent) noexcept
{
    const std::uint8_t level = level_of(*sent);
    has_come(*sent, level);
    link(self, sent, last_from(level));
    tails_[level] = sent;
}

void mailbox_order::insert_first(cell& self, envelope* sent) noexcept
{
    const std::uint8_t level = level_of(*sent);
    has_come(*sent, level);
    link(self, sent, last_from(level + 1U));
    if (tails_[level] == nullptr)
        tails_[level] = sent;
}

void mailbox_order::removed(cell& self, envelope* taken) noexcept
{
    const std::uint8_t level = level_of(*taken);
    has_gone(*taken, level);
    if (tails_[level] == taken)
        restore(self, level);
}

void mailbox_order::has_come(const envelope& sent, std::uint8_t level) noexcept
{
    silences_ += sent.type == &type_of<receive_timeout>;
    if (level != control)
        return;
    ++controls_;
    if (knows_news_)
        note_news(sent);
}

void mailbox_order::has_gone(const envelope& taken, std::uint8_t level) noexcept
{
    if (&taken == unwanted_)
        unwanted_ = nullptr;
    silences_ -= taken.type == &type_of<receive_timeout>;
    if (level != control)
        return;
    --controls_;
    if (!knows_news_)
        return;
    if (taken.type == &type_of<terminated>) {
        const auto known = news_.find(const_cast<envelope&>(taken).as<terminated>().who);
        if (known != news_.end() && --known->count == 0)
            news_.erase(known->who);
    }
    knows_news_ = controls_ != 0;
}

/// Looks for the last message of a level.
void mailbox_order::restore(cell& self, std::uint8_t level) noexcept
{
    tails_[level] = nullptr;
    if (!by_priority_ && level == ordinary) {
        if (self.first != nullptr && level_of(*self.last) == ordinary)
            tails_[level] = self.last;
        return;
    }
    for (envelope* each = self.first; each != nullptr && level_of(*each) >= level; each = each->next)
        if (level_of(*each) == level)
            tails_[level] = each;
}

void mailbox_order::begin(cell& self) noexcept
{
    controls_ = 0;
    silences_ = 0;
    knows_news_ = false;
    news_.clear();
    std::fill(std::begin(tails_), std::end(tails_), nullptr);
    envelope* left = std::exchange(self.first, nullptr);
    self.last = nullptr;
    while (envelope* each = left) {  // a plain mailbox may hold control messages between others
        left = each->next;
        insert(self, each);
    }
}

envelope* mailbox_order::take_oldest(cell& self) noexcept
{
    // By priority the list begins with the most urgent ones: of the least urgent the first is meant.
    for (unsigned level = lowest; level < control; ++level) {
        if (tails_[level] == nullptr)
            continue;
        envelope* before = last_from(level + 1);
        envelope* each = before == nullptr ? self.first : before->next;
        while ((each == due || is_exempt(*each)) && each != tails_[level])
            before = std::exchange(each, each->next);
        if (each == due || is_exempt(*each))
            continue;
        unlink(self, each, before);
        return each;
    }
    return nullptr;
}

bool mailbox_order::has_news_of(const cell& self, pid ended) noexcept
{
    constexpr std::uint32_t few = 16;
    if (!knows_news_ && controls_ > few)
        learn_news(self);
    if (knows_news_)
        return news_.contains(ended);
    std::uint32_t left = controls_;
    for (envelope* each = self.first; left != 0; each = each->next, --left)
        if (each->type == &type_of<terminated> && each->as<terminated>().who == ended)
            return true;
    return false;
}

void mailbox_order::learn_news(const cell& self) noexcept
{
    knows_news_ = true;
    std::uint32_t left = controls_;
    for (const envelope* each = self.first; left != 0 && knows_news_; each = each->next, --left)
        note_news(*each);
}

void mailbox_order::note_news(const envelope& sent) noexcept
{
    if (sent.type != &type_of<terminated>)
        return;
    const pid who = const_cast<envelope&>(sent).as<terminated>().who;
    try {
        if (!news_.insert({who, 1}))
            ++news_.find(who)->count;
    } catch (const std::bad_alloc&) {
        knows_news_ = false;  // they are looked for one by one
        news_.clear();
    }
}

bool mailbox_order::is_news_of(const envelope& waiting, pid ended) noexcept
{
    return waiting.type == &type_of<terminated> &&
        const_cast<envelope&>(waiting).as<terminated>().who == ended;
}

bool mailbox_order::wants_news_of(const cell& self, pid ended) noexcept
{
    if (unwanted_ != nullptr && is_news_of(*unwanted_, ended))
        unwanted_ = nullptr;
    return has_news_of(self, ended);
}

void mailbox_order::forget(cell& self, pid ended) noexcept
{
    if (!has_news_of(self, ended))
        return;
    forget_if(
        self, [&](const envelope& waiting) { return level_of(waiting) == control; },
        [&](const envelope& waiting) { return is_news_of(waiting, ended); });
    if (due != nullptr && is_news_of(*due, ended))
        unwanted_ = due;
}

void mailbox_order::pass_over_due(cell& self) noexcept
{
    due = nullptr;
    if (const envelope* meant = std::exchange(unwanted_, nullptr))
        forget_if(
            self, [&](const envelope& waiting) { return level_of(waiting) == control; },
            [&](const envelope& waiting) { return &waiting == meant; });
}

void mailbox_order::forget_silence(cell& self) noexcept
{
    forget_if(
        self, [&](const envelope&) { return silences_ != 0; },
        [](const envelope& waiting) { return waiting.type == &type_of<receive_timeout>; });
}

template <class Continues, class Predicate>
void mailbox_order::forget_if(cell& self, Continues&& goes_on, Predicate&& is_meant) noexcept
{
    envelope* before = nullptr;
    for (envelope* each = self.first; each != nullptr && goes_on(*each);) {
        envelope* const next = each->next;
        if (each != due && is_meant(*each)) {
            unlink(self, each, before);
            self.count_taken(*each);
            each->discard();
        } else {
            before = each;
        }
        each = next;
    }
}

/// Puts a message behind `before`, or first.
void mailbox_order::link(cell& self, envelope* sent, envelope* before) noexcept
{
    envelope*& link = before == nullptr ? self.first : before->next;
    sent->next = link;
    link = sent;
    if (sent->next == nullptr)
        self.last = sent;
}

/// Takes a message out that lies behind `before`, or first.
void mailbox_order::unlink(cell& self, envelope* taken, envelope* before) noexcept
{
    self.unlink(taken, before);
    const std::uint8_t level = level_of(*taken);
    has_gone(*taken, level);
    if (tails_[level] == taken)
        tails_[level] = before != nullptr && level_of(*before) == level ? before : nullptr;
}

}  // namespace costar::machine
