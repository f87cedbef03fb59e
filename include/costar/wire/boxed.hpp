// SPDX-License-Identifier: MIT

#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace costar::wire {

/// A value or nothing, which may be of a type that holds it: a list's next, a tree's branches. Copied, moved
/// and compared as a value, used as a pointer.
///
///     struct tree {
///         std::int64_t value;
///         wire::boxed<tree> left;
///         wire::boxed<tree> right;
///     };
///
/// Thread safety: as a value. Cost: an allocation for a value; one that was moved from is empty.
template <class T>
class boxed {
public:
    boxed() noexcept = default;
    boxed(std::nullptr_t) noexcept {}
    boxed(T value) : value_(std::make_unique<T>(std::move(value))) {}
    boxed(boxed&&) noexcept = default;
    boxed& operator=(boxed&&) noexcept = default;
    boxed(const boxed& other) : value_(other ? std::make_unique<T>(*other) : nullptr) {}
    boxed& operator=(const boxed& other)
    {
        if (this != &other)
            value_ = other ? std::make_unique<T>(*other) : nullptr;
        return *this;
    }
    ~boxed() = default;

    explicit operator bool() const noexcept { return value_ != nullptr; }
    T& operator*() noexcept { return *value_; }
    const T& operator*() const noexcept { return *value_; }
    T* operator->() noexcept { return value_.get(); }
    const T* operator->() const noexcept { return value_.get(); }

    /// Makes a value of defaults, in place of what there was.
    T& emplace()
    {
        value_ = std::make_unique<T>();
        return *value_;
    }
    void reset() noexcept { value_.reset(); }

    bool operator==(const boxed& other) const
    {
        return value_ == other.value_ ||
            (value_ != nullptr && other.value_ != nullptr && *value_ == *other.value_);
    }

private:
    std::unique_ptr<T> value_;
};

}  // namespace costar::wire
