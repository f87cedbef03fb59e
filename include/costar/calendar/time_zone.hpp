// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <chrono>
#include <string_view>

namespace costar {

/// How clocks are set somewhere: what the time zone database of the system knows under a name.
///
/// A zone's file ends with the rule by which its clocks go on being set; the rule holds for all times behind
/// the last change that the file lists. Beyond the years of `std::chrono::year` clocks are not
/// set any more.
///
/// Thread safety: a value; any thread. A zone is read once in a process, when it is first asked for, so a
/// newer database counts from the next start on.
class time_zone {
public:
    /// A stretch of time in which clocks are not set.
    struct period {
        std::chrono::sys_seconds begin;
        std::chrono::sys_seconds end;  ///< clocks are set at this moment
        std::chrono::seconds offset;   ///< what clocks show, less UTC
    };

    /// UTC.
    time_zone() noexcept = default;

    /// The zone with a name such as "Europe/Berlin"; "localtime" is that of the machine. Upper and lower case
    /// differ.
    ///
    /// Errors: throws `std::invalid_argument` when there is no such zone, and for any but "UTC" when the
    /// library was built without a database (`-Dzones=disabled`).
    static time_zone find(std::string_view name);

    /// Are there other zones than UTC?
    static bool has_database() noexcept;

    std::string_view name() const noexcept;

    /// The period that holds `moment`.
    period period_at(std::chrono::sys_seconds moment) const;

    /// What clocks show at `moment`.
    std::chrono::local_seconds to_local(std::chrono::sys_seconds moment) const;

    /// When clocks show `shown`: the first time of two when clocks are set back over it, the first moment
    /// after the gap when they are set forward over it.
    std::chrono::sys_seconds to_sys(std::chrono::local_seconds shown) const;

    friend bool operator==(const time_zone&, const time_zone&) noexcept = default;

private:
    const void* entry_ = nullptr;  // of the database; null for UTC
};

}  // namespace costar
