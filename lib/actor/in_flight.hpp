// SPDX-License-Identifier: MIT

// What a router keeps of messages that it has handed over and that nobody has let go of yet.
#pragma once

#include <costar/core/strand.hpp>
#include <costar/ground/pool.hpp>
#include <costar/kernel/station.hpp>
#include <costar/post/envelope.hpp>
#include <costar/post/pid.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace costar::machine {

class routee;

/// The routees of a router, and what is in flight at them.
class load_book {
public:
    /// Knows which routee has the least in flight, if `orders`.
    explicit load_book(bool orders) noexcept : orders_(orders) {}
    load_book(const load_book&) = delete;
    load_book& operator=(const load_book&) = delete;

    /// Messages in flight at those who are routees now.
    std::size_t total() const noexcept { return total_; }

    /// The routee with the fewest messages in flight; among those that have equally few, the one that has
    /// waited longest for the next.
    routee& least() const noexcept { return *heap_.front(); }

    void add(routee& joined);
    void remove(routee& left) noexcept;
    void changed(routee& of, bool is_more) noexcept;

private:
    static bool is_before(const routee& one, const routee& other) noexcept;
    void put(routee& moved, std::size_t place) noexcept;
    void rise(std::size_t place) noexcept;
    void sink(std::size_t place) noexcept;

    const bool orders_;
    std::size_t total_ = 0;
    std::uint64_t last_turn_ = 0;
    std::vector<routee*> heap_;  // none is before the one at half its place
};

/// One routee, and how much of what it got is in flight.
///
/// Lifetime: until neither the router nor something in flight knows it any more.
class routee {
public:
    routee(pid who, bool is_own) noexcept : who(who), is_own(is_own) {}
    routee(const routee&) = delete;
    routee& operator=(const routee&) = delete;

    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept
    {
        arena::deallocate(memory, bytes);
    }

    /// Messages in flight.
    std::size_t load() const noexcept { return load_; }

    void take_one() noexcept
    {
        ++load_;
        ++holders_;
        if (book_ != nullptr)
            book_->changed(*this, true);
    }

    void finish_one() noexcept
    {
        --load_;
        if (book_ != nullptr)
            book_->changed(*this, false);
        let_go();
    }

    void join(load_book& book)
    {
        book.add(*this);
        book_ = &book;
    }

    /// The router does not know it any more.
    void leave() noexcept
    {
        if (book_ != nullptr)
            std::exchange(book_, nullptr)->remove(*this);
        let_go();
    }

    struct key {
        const pid& operator()(const routee* each) const noexcept { return each->who; }
    };

    const pid who;
    const bool is_own;       // a child of the router
    std::uint32_t home = 0;  // its place for a consistent hash

private:
    ~routee() = default;

    void let_go() noexcept
    {
        if (--holders_ == 0)
            delete this;
    }

    friend class load_book;

    load_book* book_ = nullptr;  // null when it has left
    std::size_t load_ = 0;
    std::size_t holders_ = 1;
    std::size_t place_ = 0;   // in the book
    std::uint64_t turn_ = 0;  // when it got the last message
};

inline bool load_book::is_before(const routee& one, const routee& other) noexcept
{
    return one.load_ != other.load_ ? one.load_ < other.load_ : one.turn_ < other.turn_;
}

inline void load_book::put(routee& moved, std::size_t place) noexcept
{
    heap_[place] = &moved;
    moved.place_ = place;
}

inline void load_book::rise(std::size_t place) noexcept
{
    routee& moved = *heap_[place];
    for (; place != 0 && is_before(moved, *heap_[(place - 1) / 2]); place = (place - 1) / 2)
        put(*heap_[(place - 1) / 2], place);
    put(moved, place);
}

inline void load_book::sink(std::size_t place) noexcept
{
    routee& moved = *heap_[place];
    for (std::size_t next = place * 2 + 1; next < heap_.size(); next = place * 2 + 1) {
        if (next + 1 < heap_.size() && is_before(*heap_[next + 1], *heap_[next]))
            ++next;
        if (!is_before(*heap_[next], moved))
            break;
        put(*heap_[next], place);
        place = next;
    }
    put(moved, place);
}

inline void load_book::add(routee& joined)
{
    if (!orders_)
        return;
    heap_.push_back(&joined);
    joined.turn_ = ++last_turn_;
    rise(heap_.size() - 1);
}

inline void load_book::remove(routee& left) noexcept
{
    total_ -= left.load_;
    if (!orders_)
        return;
    const std::size_t place = left.place_;
    routee& last = *heap_.back();
    heap_.pop_back();
    if (&last == &left)
        return;
    put(last, place);
    rise(place);
    sink(last.place_);
}

inline void load_book::changed(routee& of, bool is_more) noexcept
{
    total_ = is_more ? total_ + 1 : total_ - 1;
    if (!orders_)
        return;
    if (is_more) {
        of.turn_ = ++last_turn_;
        sink(of.place_);
    } else {
        rise(of.place_);
    }
}

/// A request that was given to several routees, until the last of them has let go of it.
class gathering {
public:
    /// Takes the request over: its asker is answered with the first answer, or with the last one when all
    /// are wanted.
    gathering(station& post, envelope& request, std::size_t routees, bool wants_all) noexcept
        : post_(post),
          asker_(std::exchange(request.reply, 0)),
          reply_(request.type->reply),
          left_(routees),
          wants_all_(wants_all)
    {}
    gathering(const gathering&) = delete;
    gathering& operator=(const gathering&) = delete;

    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept
    {
        arena::deallocate(memory, bytes);
    }

    /// One routee has answered, or failed to.
    void note(const message_type* type, void* value, errc failure) noexcept
    {
        const bool is_last = left_ == 1;
        if (failure == errc{} && type != reply_)
            failure = errc::wrong_reply;
        if (asker_ != 0 && failure == errc{} && (is_last || !wants_all_))
            post_.pass_on(std::exchange(asker_, 0), *type, value);
        else if (asker_ != 0 && failure != errc{} && (is_last || wants_all_))
            post_.fail(std::exchange(asker_, 0), failure);
        lose_one();
    }

    /// One routee is done with.
    void lose_one() noexcept
    {
        if (--left_ == 0)
            delete this;
    }

private:
    ~gathering() = default;

    station& post_;
    std::uint64_t asker_;  // 0 when it was answered
    const message_type* reply_;
    std::size_t left_;  // routees that have not let go of it
    bool wants_all_;
};

/// A message that was handed over, until somebody lets go of it. It stands where the asker stood, if there is
/// one, and passes the answer on; the router may have ended by then.
class in_flight final : private reply_waiter, private stray {
public:
    /// Puts one between a message and whoever waits for its answer.
    static void begin(station& post, routee& to, envelope& sent, gathering* group)
    {
        auto* made = new in_flight(post, to, sent.reply, group);
        try {
            made->token_ = post.expect(*made);
        } catch (...) {
            delete made;
            throw;
        }
        sent.reply = made->token_;
        post.home().keep(*made);
    }

    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept
    {
        arena::deallocate(memory, bytes);
    }

private:
    in_flight(station& post, routee& to, std::uint64_t asker, gathering* group) noexcept
        : reply_waiter(take),
          stray([](stray& lone) noexcept { delete &static_cast<in_flight&>(lone); }),
          post_(post),
          to_(to),
          asker_(asker),
          group_(group)
    {
        to_.take_one();
    }
    ~in_flight()
    {
        if (token_ != 0)  // destroyed with the engine
            post_.forget(token_);
        if (group_ != nullptr)
            group_->lose_one();
        to_.finish_one();
    }

    static void take(reply_waiter& base, const message_type* type, void* value, errc failure) noexcept
    {
        auto& self = static_cast<in_flight&>(base);
        self.token_ = 0;
        if (gathering* group = std::exchange(self.group_, nullptr))
            group->note(type, value, failure);
        else if (self.asker_ != 0 && failure != errc{})
            self.post_.fail(self.asker_, failure);
        else if (self.asker_ != 0)
            self.post_.pass_on(self.asker_, *type, value);
        delete &self;
    }

    station& post_;
    routee& to_;
    const std::uint64_t asker_;  // 0 where nobody waits
    std::uint64_t token_ = 0;
    gathering* group_;
};

}  // namespace costar::machine
