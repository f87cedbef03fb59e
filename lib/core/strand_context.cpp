// SPDX-License-Identifier: MIT

#include <costar/core/strand_context.hpp>

#include "job_body.hpp"
#include "parking.hpp"

#include <random>
#include <utility>

namespace costar::machine {

namespace {

std::uint64_t next_serial() noexcept
{
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

strand_context::strand_context(std::uint32_t index, const turn_options& options, costar::clock& clock)
    : run_queue(options, clock),
      strand_time(clock),
      turn_length_(static_cast<std::uint64_t>(options.turn.count())),
      backlog_max_(options.backlog),
      index_(index),
      serial_(next_serial()),
      random_(std::random_device()()),
      rings_(options.ring_slots)
{}

strand_context::~strand_context()
{
    discard_jobs();
    parking_.reset();  // it has a timer
}

void strand_context::connect(
    strand_driver& driver, const std::vector<strand_context*>& siblings, parcel_receiver& receiver)
{
    driver_ = &driver;
    if (driver.sleeps_seldom())
        idle_.spare_takers();
    receiver_ = &receiver;
    siblings_ = siblings;
    rings_.resize(siblings.size());
    for (std::size_t i = 0; i < siblings.size(); ++i) {
        strand_context& other = *siblings[i];
        if (&other == this)
            continue;
        other.rings_.resize(siblings.size());
        rings_.connect(i, other.rings_, index_);
    }
}

void strand_context::discard_jobs() noexcept
{
    do {
        posted_.append(inbox_.take());
        posted_.append(std::move(jobs_));
        while (job* work = posted_.pop())
            work->run(work, true);
    } while (!jobs_.empty() || !inbox_.empty());  // what a job owned may post in its destructor
}

void strand_context::discard_input() noexcept
{
    discard_jobs();
    const auto discard = [this](parcel& left) {
        if (left.kind == own_kinds::job) {
            job* work = job_body::of(left).work;
            work->run(work, true);
        } else if (left.kind != own_kinds::era) {
            receiver_->discard(left);
        }
    };
    rings_.end(discard);
    ways_.end(discard);
    strays_.destroy_all();
    discard_jobs();
}

}  // namespace costar::machine
