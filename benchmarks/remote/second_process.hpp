// SPDX-License-Identifier: MIT

#pragma once

#include "harness.hpp"

#include <functional>
#include <string>

#include <sys/types.h>

namespace bench {

/// The other side of a benchmark over a connection, in a process of its own on the second core.
///
/// Thread safety: made before the process has threads, since it is forked; used by one thread. Lifetime: of
/// several the youngest is ended first, since it has the pipes of the older ones.
class second_process {
public:
    /// What it sees of the first one.
    class door {
    public:
        door(int out, int in) noexcept : out_(out), in_(in) {}

        /// Says where it can be reached; the first process has waited for that.
        void open(const std::string& address) const;

        /// The next line that the first process tells; empty when it needs this one no more, or has ended.
        std::string hear() const;

        /// Waits until the first process needs it no more, or has ended.
        void wait() const;

    private:
        int out_;
        int in_;
    };

    /// Runs `serve` there, and waits until the door is open.
    explicit second_process(const std::function<void(const door&)>& serve);
    second_process(const second_process&) = delete;
    second_process& operator=(const second_process&) = delete;
    ~second_process();

    const std::string& address() const noexcept { return address_; }

    /// The next line that it says with `open`; empty where it has ended.
    std::string hear() const;
    void tell(const std::string& line) const;

    /// Lets it stand still where it is, and go on.
    void halt() const;
    void go_on() const;

    /// Ends it, and says what it has used. It must not stand still.
    usage end();

private:
    pid_t process_ = 0;
    int in_ = -1;
    int out_ = -1;
    std::string address_;
};

}  // namespace bench
