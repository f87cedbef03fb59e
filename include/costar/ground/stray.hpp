// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

namespace costar::machine {

/// Something that lives on a strand without an owner there; destroyed with the strand if it has not ended by
/// then.
///
/// Used inside the strand's turn only.
class stray {
public:
    using function = void (*)(stray& self) noexcept;

    explicit stray(function destroy) noexcept : destroy_(destroy) {}
    stray(const stray&) = delete;
    stray& operator=(const stray&) = delete;

protected:
    ~stray() { forget(); }

    /// Has an owner from now on.
    void forget() noexcept
    {
        if (place_ == nullptr)
            return;
        *place_ = next_;
        if (next_ != nullptr)
            next_->place_ = place_;
        place_ = nullptr;
    }

private:
    friend class stray_list;

    function destroy_;
    stray* next_ = nullptr;
    stray** place_ = nullptr;
};

/// The strays of one strand.
///
/// Thread safety: one thread at a time.
class stray_list {
public:
    stray_list() noexcept = default;
    stray_list(const stray_list&) = delete;
    stray_list& operator=(const stray_list&) = delete;

    void keep(stray& lone) noexcept
    {
        lone.next_ = first_;
        lone.place_ = &first_;
        if (first_ != nullptr)
            first_->place_ = &lone.next_;
        first_ = &lone;
    }

    /// Destroys all, the newest first, and those that are kept meanwhile.
    void destroy_all() noexcept
    {
        while (first_ != nullptr)
            first_->destroy_(*first_);
    }

private:
    stray* first_ = nullptr;
};

}  // namespace costar::machine
