// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/hash.hpp>
#include <costar/ground/pool.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iterator>
#include <new>
#include <type_traits>
#include <utility>

namespace costar::machine {

/// Small values in the order in which they came, each key once, found and taken out by key.
///
/// Up to 16 values lie side by side and are compared one by one, as in a vector; from there on a hash table
/// in the same block leads to their places. What is taken out of the middle then leaves a hole, which no
/// iteration sees; the block is closed up when it is full, and replaced by one of half the size when three
/// quarters of it are empty, so memory follows the number of values down again.
///
/// `KeyOf` gives the key of a value, `Hash` a number for a key, which need not be spread well.
///
/// Thread safety: none of its own. Lifetime: `insert` and `erase` end all iterators and pointers.
/// Errors: `insert` throws `std::bad_alloc` and changes nothing then; nothing else throws.
/// Cost: `insert`, `erase`, `find` are constant; 8 bytes when nothing was ever in it.
template <class Value, class KeyOf = std::identity,
    class Hash = std::hash<std::remove_cvref_t<std::invoke_result_t<KeyOf, const Value&>>>>
class ordered_set {
    static_assert(std::is_trivially_copyable_v<Value> && alignof(Value) <= 16);

    template <bool IsConst>
    class basic_iterator;

public:
    using value_type = Value;
    using key_type = std::remove_cvref_t<std::invoke_result_t<KeyOf, const Value&>>;
    using iterator = basic_iterator<false>;
    using const_iterator = basic_iterator<true>;

    /// How many values are compared one by one.
    static constexpr std::uint32_t few = 16;

    ordered_set() = default;
    ordered_set(ordered_set&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    ordered_set& operator=(ordered_set&& other) noexcept
    {
        ordered_set taken(std::move(other));
        std::swap(block_, taken.block_);
        return *this;
    }
    ~ordered_set() { clear(); }

    std::size_t size() const noexcept { return block_ != nullptr ? block_->live : 0; }
    bool empty() const noexcept { return size() == 0; }

    iterator begin() noexcept { return {block_, block_ != nullptr ? block_->first : 0}; }
    iterator end() noexcept { return {block_, block_ != nullptr ? block_->used : 0}; }
    const_iterator begin() const noexcept { return {block_, block_ != nullptr ? block_->first : 0}; }
    const_iterator end() const noexcept { return {block_, block_ != nullptr ? block_->used : 0}; }

    /// The value that came first, and last. There must be one.
    Value& front() noexcept { return block_->values()[block_->first]; }
    Value& back() noexcept { return block_->values()[block_->used - 1]; }

    iterator find(const key_type& key) noexcept { return {block_, place_of(key)}; }
    const_iterator find(const key_type& key) const noexcept { return {block_, place_of(key)}; }
    bool contains(const key_type& key) const noexcept { return find(key) != end(); }

    /// Any value, each as likely as the others: `below(n)` draws a number below n. There must be one.
    template <class Below>
    Value& any(Below&& below) noexcept
    {
        for (;;) {
            const auto place = block_->first +
                static_cast<std::uint32_t>(below(std::uint64_t{block_->used} - block_->first));
            if (!block_->is_hole(place))
                return block_->values()[place];
        }
    }

    /// Adds a value behind all others; false when there is one with its key.
    bool insert(const Value& value)
    {
        if (block_ != nullptr && place_of(KeyOf()(value)) != block_->used)
            return false;
        if (block_ == nullptr || block_->used == block_->capacity)
            make_room();
        const std::uint32_t place = block_->used++;
        ::new (block_->values() + place) Value(value);
        ++block_->live;
        if (block_->is_indexed())
            block_->enter(place);
        return true;
    }

    /// Takes out the value with this key; false when there is none.
    bool erase(const key_type& key) noexcept
    {
        const std::uint32_t place = place_of(key);
        if (block_ == nullptr || place == block_->used)
            return false;
        take_out(place);
        return true;
    }

    void pop_front() noexcept { take_out(block_->first); }
    void pop_back() noexcept { take_out(block_->used - 1); }

    void clear() noexcept
    {
        if (block_ != nullptr)
            block::release(std::exchange(block_, nullptr));
    }

private:
    static constexpr std::uint32_t least_indexed = 64;

    // One piece of memory: this header, the values, and if there are more than a few the table, whose slots
    // hold a place plus one or 0, and a bit for each hole.
    struct alignas(16) block {
        std::uint32_t capacity;
        std::uint32_t used = 0;   // places, the last of which is no hole
        std::uint32_t live = 0;   // values
        std::uint32_t first = 0;  // the place of the first value

        explicit block(std::uint32_t capacity) noexcept : capacity(capacity) {}

        static std::size_t bytes_of(std::uint32_t capacity) noexcept
        {
            std::size_t bytes = sizeof(block) + capacity * sizeof(Value);
            if (capacity > few)
                bytes = table_at(capacity) + std::size_t{capacity} * 2 * sizeof(std::uint32_t) +
                    std::size_t{capacity} / 8;
            return bytes;
        }

        /// Where the table begins.
        static std::size_t table_at(std::uint32_t capacity) noexcept
        {
            return (sizeof(block) + capacity * sizeof(Value) + 7) / 8 * 8;
        }

        static block* make(std::uint32_t capacity)
        {
            auto* made = ::new (arena::current().allocate(bytes_of(capacity))) block(capacity);
            made->clear_table();
            return made;
        }

        static void release(block* done) noexcept { arena::deallocate(done, bytes_of(done->capacity)); }

        bool is_indexed() const noexcept { return capacity > few; }

        Value* values() noexcept { return std::launder(reinterpret_cast<Value*>(this + 1)); }

        std::uint32_t* slots() noexcept
        {
            return reinterpret_cast<std::uint32_t*>(reinterpret_cast<std::byte*>(this) + table_at(capacity));
        }
        std::uint32_t mask() const noexcept { return capacity * 2 - 1; }

        std::uint64_t& holes(std::uint32_t place) noexcept
        {
            return reinterpret_cast<std::uint64_t*>(slots() + std::size_t{capacity} * 2)[place / 64];
        }
        bool is_hole(std::uint32_t place) noexcept
        {
            return is_indexed() && (holes(place) >> place % 64 & 1) != 0;
        }

        void clear_table() noexcept
        {
            if (is_indexed())
                std::memset(slots(), 0, bytes_of(capacity) - table_at(capacity));
        }

        std::uint32_t home_of(const key_type& key) const noexcept
        {
            return static_cast<std::uint32_t>(mixed(static_cast<std::uint64_t>(Hash()(key)))) & mask();
        }

        /// The slot that leads to this key, or the free one where it would be.
        std::uint32_t slot_of(const key_type& key) noexcept
        {
            std::uint32_t slot = home_of(key);
            while (slots()[slot] != 0 && !(KeyOf()(values()[slots()[slot] - 1]) == key))
                slot = (slot + 1) & mask();
            return slot;
        }

        void enter(std::uint32_t place) noexcept { slots()[slot_of(KeyOf()(values()[place]))] = place + 1; }

        /// Frees a slot; those behind it that would not be found any more move up.
        void vacate(std::uint32_t slot) noexcept
        {
            for (std::uint32_t next = (slot + 1) & mask(); slots()[next] != 0; next = (next + 1) & mask()) {
                const std::uint32_t home = home_of(KeyOf()(values()[slots()[next] - 1]));
                if (((next - home) & mask()) >= ((next - slot) & mask())) {
                    slots()[slot] = slots()[next];
                    slot = next;
                }
            }
            slots()[slot] = 0;
        }

        /// Puts the values of `from`, which may be this block, side by side.
        void take_all(block& from) noexcept
        {
            std::uint32_t to = 0;
            for (std::uint32_t place = from.first; place < from.used; ++place)
                if (!from.is_hole(place))
                    ::new (values() + to++) Value(from.values()[place]);
            first = 0;
            used = live = to;
            clear_table();
            if (is_indexed())
                for (std::uint32_t place = 0; place < used; ++place)
                    enter(place);
        }
    };

    /// The place of a key, `used` when there is none.
    std::uint32_t place_of(const key_type& key) const noexcept
    {
        if (block_ == nullptr)
            return 0;
        if (block_->is_indexed()) {
            const std::uint32_t found = block_->slots()[block_->slot_of(key)];
            return found != 0 ? found - 1 : block_->used;
        }
        std::uint32_t place = block_->first;
        while (place < block_->used && !(KeyOf()(block_->values()[place]) == key))
            ++place;
        return place;
    }

    void make_room()
    {
        constexpr std::uint32_t least = sizeof(Value) > 16 ? 1 : 2;
        if (block_ == nullptr)
            block_ = block::make(least);
        else if (block_->live <= block_->capacity / 4 * 3 && block_->live < block_->used)
            block_->take_all(*block_);
        else
            move_to(block::make(block_->capacity == few ? least_indexed : block_->capacity * 2));
    }

    void move_to(block* other) noexcept
    {
        other->take_all(*block_);
        block::release(std::exchange(block_, other));
    }

    void take_out(std::uint32_t place) noexcept
    {
        block& in = *block_;
        --in.live;
        if (!in.is_indexed()) {
            for (std::uint32_t next = place + 1; next < in.used; ++next)
                in.values()[next - 1] = in.values()[next];
            --in.used;
            return;
        }
        in.vacate(in.slot_of(KeyOf()(in.values()[place])));
        in.holes(place) |= std::uint64_t{1} << place % 64;
        if (in.live == 0) {
            clear();
            return;
        }
        while (in.is_hole(in.first))
            ++in.first;
        for (; in.is_hole(in.used - 1); --in.used)
            in.holes(in.used - 1) &= ~(std::uint64_t{1} << (in.used - 1) % 64);
        if (in.capacity == least_indexed ? in.live < few / 2 : in.live < in.capacity / 4)
            shrink();
    }

    void shrink() noexcept
    {
        try {
            move_to(block::make(block_->capacity == least_indexed ? few : block_->capacity / 2));
        } catch (const std::bad_alloc&) {
            block_->take_all(*block_);  // what cannot be smaller has at least no holes
        }
    }

    block* block_ = nullptr;
};

template <class Value, class KeyOf, class Hash>
template <bool IsConst>
class ordered_set<Value, KeyOf, Hash>::basic_iterator {
public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Value;
    using difference_type = std::ptrdiff_t;
    using pointer = std::conditional_t<IsConst, const Value*, Value*>;
    using reference = std::conditional_t<IsConst, const Value&, Value&>;

    basic_iterator() = default;

    reference operator*() const noexcept { return block_->values()[place_]; }
    pointer operator->() const noexcept { return &**this; }

    basic_iterator& operator++() noexcept
    {
        do
            ++place_;
        while (place_ < block_->used && block_->is_hole(place_));
        return *this;
    }
    basic_iterator operator++(int) noexcept
    {
        const basic_iterator before = *this;
        ++*this;
        return before;
    }

    friend bool operator==(const basic_iterator&, const basic_iterator&) = default;

private:
    friend class ordered_set;
    basic_iterator(block* block, std::uint32_t place) noexcept : block_(block), place_(place) {}

    block* block_ = nullptr;
    std::uint32_t place_ = 0;
};

}  // namespace costar::machine
