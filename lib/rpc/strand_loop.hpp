// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand.hpp>
#include <costar/ground/function_job.hpp>
#include <costar/rpc/event_loop.hpp>

#include <memory>

namespace costar::machine {

/// The event loop of a strand, present in each of its turns. The job that pumps it is the loop itself.
class strand_loop final : public kj_loop, public turn_companion, private job {
public:
    explicit strand_loop(strand_context& home)
        : kj_loop(home.get_executor(), flushing::by_strand), job{nullptr, &run_job}, home_(&home)
    {}

    /// That of the strand whose turn this is; made at the first call.
    static strand_loop& of(strand_context& home)
    {
        if (home.companion() == nullptr)
            home.accompany(std::make_shared<strand_loop>(home));
        return static_cast<strand_loop&>(*home.companion());
    }

private:
    void turn_begins() noexcept override { enter(); }
    void turn_ends() noexcept override { leave(); }
    void send_out() noexcept override { flush(); }
    void strand_ends() noexcept override { abandon_waits(); }

    void post_pump() override { home_->post(static_cast<job&>(*this)); }

    static void run_job(job* base, bool destroy_only)
    {
        auto& self = static_cast<strand_loop&>(*base);
        if (destroy_only)
            self.forget_posted();
        else
            self.run_posted();
    }

    strand_context* home_;
};

}  // namespace costar::machine
