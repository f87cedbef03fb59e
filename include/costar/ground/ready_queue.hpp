// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace costar::machine {

/// What is ready to run, first in first out, and beside it what has just been born.
///
/// Up to `births_per_other` of what is born begin, then one of what is ready runs: who gives birth must not
/// be faster than what it bears. And while all that is ready runs once, a *lap*, `births_per_lap` begin at
/// most: else what takes several runs to its end would wait behind births for ever, and its number grow.
///
/// The young, born by one that runs for the first time, come before all others that were born, the newest
/// first; after `births_in_a_row` of them one of the others begins. After `rows_to_age` such rows, or when
/// there are no others, those that are young still join the others, behind them.
///
/// `Node` has a `next` and a `waiter`, which points to what its run touches first. Nodes are linked by
/// `next`, and nothing is allocated.
///
/// Thread safety: one thread at a time.
/// Lifetime: nodes outlive their place in the queue.
template <class Node>
class ready_queue {
public:
    static constexpr int births_in_a_row = 2048;
    static constexpr int births_per_other = 8;
    static constexpr int births_per_lap = 2048;
    static constexpr int rows_to_age = 16;

    /// Where something that was born waits: among the others, or with the young of a time, which are numbered
    /// in a circle. A number that has come round again may say that one is young which no longer is; that
    /// does no more harm than that its sibling waits with it.
    using line = std::uint8_t;
    static constexpr line others = 0;
    static constexpr line lines_max = 31;

    ready_queue() noexcept = default;
    ready_queue(const ready_queue&) = delete;
    ready_queue& operator=(const ready_queue&) = delete;

    bool empty() const noexcept { return first_ == nullptr && !has_birth(); }

    /// Appends what is ready.
    void push(Node& node) noexcept
    {
        node.next = nullptr;
        *tail_ = &node;
        tail_ = &node.next;
        ++pushed_;
    }

    /// Adds what is born: before all others when it is young, else behind them. Gives where it waits.
    line push_birth(Node& node, bool is_young) noexcept
    {
        if (!is_young) {
            node.next = nullptr;
            *births_tail_ = &node;
            births_tail_ = &node.next;
            return others;
        }
        node.next = young_;
        if (young_ == nullptr)
            young_tail_ = &node.next;
        young_ = &node;
        return young_line_;
    }

    /// Adds what is born, to begin behind an elder that has not begun either. Behind a young one it waits
    /// with it; behind another one it waits as whoever comes now, so that a family that always grows keeps
    /// nobody waiting.
    line push_birth_behind(Node& elder, line of_elder, Node& node) noexcept
    {
        if (of_elder != young_line_)
            return push_birth(node, false);
        node.next = elder.next;
        elder.next = &node;
        if (young_tail_ == &elder.next)
            young_tail_ = &node.next;
        else if (births_tail_ == &elder.next)
            births_tail_ = &node.next;
        return of_elder;
    }

    /// Whether `pop_birth` comes next, and else `pop`.
    bool is_birth_next() noexcept { return has_birth() && (first_ == nullptr || may_birth_go_first()); }

    /// Takes the first of what is ready, null when there is none.
    Node* pop() noexcept
    {
        Node* node = first_;
        if (node != nullptr) {
            ++popped_;
            first_ = node->next;
            if (first_ == nullptr)
                tail_ = &first_;
        }
        return node;
    }

    /// Takes the next of what is born. There must be one.
    Node& pop_birth() noexcept
    {
        ++births_ran_;
        ++births_in_lap_;
        Node* node = young_;
        if (node != nullptr && young_ran_ < births_in_a_row) {
            young_ = node->next;
            if (young_ == nullptr)
                young_tail_ = &young_;
            ++young_ran_;
        } else {
            if (births_ == nullptr || (young_ != nullptr && ++rows_ >= rows_to_age))
                age();
            young_ran_ = 0;
            node = births_;
            births_ = node->next;
            if (births_ == nullptr)
                births_tail_ = &births_;
            else
                prefetch(*births_);
        }
        return *node;
    }

    /// One that was chosen, null when there was none.
    struct chosen {
        Node* node;
        bool is_birth;
    };

    /// Takes any of what is ready and what is born, by a number that `random` gives. Linear.
    template <class Random>
    chosen pop_chosen(Random& random) noexcept
    {
        // Of the births only those that are first in their line: siblings begin in the order of their spawns.
        std::uint64_t count = (young_ != nullptr ? 1 : 0) + (births_ != nullptr ? 1 : 0);
        const std::uint64_t births = count;
        for (Node* node = first_; node != nullptr; node = node->next)
            ++count;
        if (count == 0)
            return {nullptr, false};
        std::uint64_t number = random.below(count);
        const bool is_birth = number < births;
        Node* node = first_;
        if (is_birth)
            node = number == 0 && young_ != nullptr ? young_ : births_;
        else
            for (number -= births; number > 0; --number)
                node = node->next;
        withdraw(*node);
        return {node, is_birth};
    }

    /// Takes a node out; false when it is not here. Linear.
    bool withdraw(Node& node) noexcept
    {
        if (unlink(first_, tail_, node)) {
            ++popped_;
            return true;
        }
        return unlink(young_, young_tail_, node) || unlink(births_, births_tail_, node);
    }

    /// Points to what is pushed from now on, linked by `next`, while nothing is taken.
    Node* const& end() const noexcept { return *tail_; }

private:
    bool has_birth() const noexcept { return young_ != nullptr || births_ != nullptr; }

    static bool unlink(Node*& list, Node**& tail, Node& node) noexcept
    {
        for (Node** link = &list; *link != nullptr; link = &(*link)->next) {
            if (*link == &node) {
                *link = node.next;
                if (tail == &node.next)
                    tail = link;
                return true;
            }
        }
        return false;
    }

    /// With something ready: may one of the births go before it?
    bool may_birth_go_first() noexcept
    {
        if (births_ran_at_ != popped_) {
            births_ran_at_ = popped_;
            births_ran_ = 0;
        }
        if (static_cast<std::int32_t>(popped_ - lap_end_) >= 0) {
            lap_end_ = pushed_;
            births_in_lap_ = 0;
        }
        return births_ran_ < births_per_other && births_in_lap_ < births_per_lap;
    }

    /// Those that came first have done so for long enough.
    void age() noexcept
    {
        rows_ = 0;
        young_line_ = static_cast<line>(young_line_ % lines_max + 1);
        if (young_ == nullptr)
            return;
        *births_tail_ = std::exchange(young_, nullptr);
        births_tail_ = std::exchange(young_tail_, &young_);
    }

    /// Those that were born first are no longer in the cache. While one runs its first turn, the next one's
    /// waiter comes, and the head of the one behind it.
    static void prefetch(const Node& next) noexcept
    {
        __builtin_prefetch(next.waiter);
        if (next.next == nullptr)
            return;
        constexpr std::size_t line = 64;
        __builtin_prefetch(next.next);
        __builtin_prefetch(reinterpret_cast<const char*>(next.next) + line);
    }

    Node* first_ = nullptr;
    Node** tail_ = &first_;
    std::uint32_t pushed_ = 0;  // of what is ready, in all; goes round
    std::uint32_t popped_ = 0;  // likewise
    Node* young_ = nullptr;     // the newest family first
    Node** young_tail_ = &young_;
    line young_line_ = 1;
    Node* births_ = nullptr;  // the oldest first
    Node** births_tail_ = &births_;
    int young_ran_ = 0;                // since one of the others began
    int rows_ = 0;                     // of the young, since they were aged
    int births_ran_ = 0;               // since one of the ready did
    std::uint32_t births_ran_at_ = 0;  // how many of these had, then
    int births_in_lap_ = 0;
    std::uint32_t lap_end_ = 0;  // of what is ready, so many have run in all when the lap is over
};

}  // namespace costar::machine
