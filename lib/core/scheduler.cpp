// SPDX-License-Identifier: MIT

#include <costar/core/scheduler.hpp>

#include "borrowed_driver.hpp"
#include "manual_driver.hpp"
#include "owned_driver.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <utility>

namespace costar::machine {

scheduler::scheduler(const scheduler_options& options)
{
    std::size_t count = options.strands;
    if (count == 0)
        count = std::max(1U, std::thread::hardware_concurrency());
    for (std::size_t i = 0; i < count; ++i)
        add(std::make_unique<owned_driver>(make_context(options), options, this));
}

scheduler::scheduler(std::vector<asio::any_io_executor> borrowed, const scheduler_options& options)
{
    if (borrowed.empty())
        throw std::invalid_argument("an engine needs at least one executor");
    for (asio::any_io_executor& each : borrowed)
        add(std::make_unique<borrowed_driver>(make_context(options), std::move(each)));
}

scheduler::scheduler(manual, const scheduler_options& options)
{
    for (std::size_t i = 0; i < std::max<std::size_t>(options.strands, 1); ++i)
        add(std::make_unique<manual_driver>(make_context(options)));
}

scheduler::~scheduler()
{
    stop();
    for (strand_context* context : contexts_)
        context->discard_input();
    for (auto& driver : drivers_)
        driver->clear();
    for (strand_context* context : contexts_)
        context->discard_input();
}

std::unique_ptr<strand_context> scheduler::make_context(const scheduler_options& options)
{
    if (options.turn.ring_slots > turn_options::ring_slots_max)
        throw std::invalid_argument("turn_options::ring_slots is more than 2^24");
    return std::make_unique<strand_context>(static_cast<std::uint32_t>(contexts_.size()), options.turn,
        options.clock != nullptr ? *options.clock : real_clock_);
}

void scheduler::add(std::unique_ptr<driver> made)
{
    contexts_.push_back(&made->machine());
    drivers_.reserve(drivers_.size() + 1);
    drivers_.emplace_back(made.release());
}

void scheduler::release::operator()(driver* held) const noexcept
{
    held->leave_context();
    held->let_go();
}

bool scheduler::is_owned() const noexcept
{
    return dynamic_cast<const owned_driver*>(drivers_.front().get()) != nullptr;
}

bool scheduler::is_manual() const noexcept
{
    return dynamic_cast<const manual_driver*>(drivers_.front().get()) != nullptr;
}

bool scheduler::is_own_thread() const noexcept
{
    return owned_driver::is_thread_of(this);
}

void scheduler::start(const std::vector<parcel_receiver*>& receivers)
{
    for (std::size_t i = 0; i < contexts_.size(); ++i)
        contexts_[i]->connect(*drivers_[i], contexts_, *receivers[i]);
    for (auto& driver : drivers_)
        driver->start();
}

void scheduler::stop() noexcept
{
    for (auto& driver : drivers_)
        driver->stop();
    for (strand_context* context : contexts_)
        context->refuse_posts();
}

}  // namespace costar::machine
