// SPDX-License-Identifier: MIT

#pragma once

#include "driver.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace costar::machine {

/// A strand that gets its turns from whoever holds it: a simulation.
class scheduler::manual_driver final : public driver {
public:
    explicit manual_driver(std::unique_ptr<strand_context> context) : driver(std::move(context)) {}

    void kick() noexcept override {}
    bool may_enter() const noexcept override { return false; }
    bool may_hold_back() const noexcept override { return false; }
    bool sleeps_seldom() const noexcept override { return false; }
    void timer_changed(std::uint64_t) override {}
    asio::execution_context& context() const noexcept override { return io_; }
    void start() override {}
    void stop() noexcept override {}

private:
    mutable asio::io_context io_{1};
};

}  // namespace costar::machine
