// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/ordered_set.hpp>
#include <costar/post/envelope.hpp>

#include <cstdint>

namespace costar::machine {

class cell;

/// Order in a mailbox where not all messages are equal: control first, then by level.
///
/// The messages themselves lie in the cell's list; this knows the last one of each level.
///
/// Cost: nine levels are looked at, however many messages wait; beyond that as each function says.
class mailbox_order {
public:
    static constexpr std::uint8_t lowest = 0;
    static constexpr std::uint8_t ordinary = 4;
    static constexpr std::uint8_t highest = 7;
    static constexpr std::uint8_t control = 8;

    explicit mailbox_order(bool by_priority) noexcept : by_priority_(by_priority) {}

    std::uint8_t level_of(const envelope& waiting) const noexcept;

    /// Is it let in however full the mailbox is? A stop must not be refused; a pill stands behind who waits
    /// outside.
    bool is_exempt(const envelope& sent) const noexcept;

    /// Learns what lies in the mailbox already. Cost: linear in the messages that wait.
    void begin(cell& self) noexcept;

    /// Puts a message behind those of its level.
    void insert(cell& self, envelope* sent) noexcept;

    /// Puts a message in front of those of its level.
    void insert_first(cell& self, envelope* sent) noexcept;

    /// A message was taken out of the cell's list. Cost: as that of finding it there.
    void removed(cell& self, envelope* taken) noexcept;

    /// Takes out the message that has waited longest, control messages apart; null when there is none.
    /// Cost: it passes the poison pills that wait in front of it at its level.
    envelope* take_oldest(cell& self) noexcept;

    /// Do the news that an actor has ended wait?
    bool has_news_of(const cell& self, pid ended) noexcept;

    /// The news that an actor has ended are wanted, if they wait: true then.
    bool wants_news_of(const cell& self, pid ended) noexcept;

    /// Takes out the news that an actor has ended, if they wait. Cost: if they do, it passes the control
    /// messages in front of them, since each envelope only knows the next one.
    void forget(cell& self, pid ended) noexcept;

    /// Takes out the news of silence: they are about the life of an actor that has ended.
    void forget_silence(cell& self) noexcept;

    /// How many control messages wait.
    std::uint32_t controls() const noexcept { return controls_; }

    /// The message for which the actor was woken and has not run yet: nobody may take it away any more.
    const envelope* due = nullptr;

    /// The actor takes that message not, after all. What was to be forgotten meanwhile is so now.
    void pass_over_due(cell& self) noexcept;

private:
    /// How often the news of an end wait: somebody may have sent them on.
    struct news {
        pid who;
        std::uint32_t count;

        struct key {
            const pid& operator()(const news& each) const noexcept { return each.who; }
        };
    };

    static bool is_news_of(const envelope& waiting, pid ended) noexcept;

    template <class Continues, class Predicate>
    void forget_if(cell& self, Continues&& goes_on, Predicate&& is_meant) noexcept;
    void link(cell& self, envelope* sent, envelope* before) noexcept;
    void unlink(cell& self, envelope* taken, envelope* before) noexcept;
    void restore(cell& self, std::uint8_t level) noexcept;
    envelope* last_from(unsigned level) const noexcept;
    void has_come(const envelope& sent, std::uint8_t level) noexcept;
    void has_gone(const envelope& taken, std::uint8_t level) noexcept;
    void note_news(const envelope& sent) noexcept;
    void learn_news(const cell& self) noexcept;

    envelope* tails_[control + 1] = {};
    std::uint32_t controls_ = 0;
    std::uint32_t silences_ = 0;  // news of silence that wait
    bool by_priority_;
    bool knows_news_ = false;  // `news_` has all that wait; only where there are many
    ordered_set<news, news::key> news_;
    const envelope* unwanted_ = nullptr;  // to be forgotten, but for that it is due
};

}  // namespace costar::machine
