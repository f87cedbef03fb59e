// SPDX-License-Identifier: MIT

#include <costar/testing/simulation.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace costar::testing {

using namespace machine;

namespace {

/// Not zero, so that a time that was never set shows.
constexpr std::uint64_t origin = 1'000'000'000;

}  // namespace

simulation::simulation(std::uint64_t seed, simulation_options options)
    : seed_(named_seed().value_or(seed)), options_(std::move(options)), clock_(origin), random_(seed_)
{
    options_.engine.strands = options_.strands;
    options_.engine.clock = &clock_;
    if (options_.faults)
        faults_ = std::make_unique<testing::faults>(random_);
    add_engine(options_.engine.name);
}

costar::engine& simulation::add_engine(std::string name)
{
    options_.engine.name = std::move(name);
    auto made = std::make_unique<costar::engine>(scheduler::manual{}, options_.engine);
    for (std::size_t i = 0; i < made->size(); ++i)
        made->station_at(i).home().choose_order_by(random_);
    if (engines_.empty())
        made->station_at(0).shared().interceptor = faults_.get();
    return *engines_.emplace_back(std::move(made));
}

void simulation::end(costar::engine& other)
{
    const auto found = std::find_if(
        engines_.begin(), engines_.end(), [&](const auto& each) { return each.get() == &other; });
    if (found == engines_.end() || found == engines_.begin())
        throw std::logic_error("this is no engine that was added to the simulation");
    const auto ended = std::move(*found);
    engines_.erase(found);
}

simulation::~simulation()
{
    if (faults_ != nullptr)
        faults_->end();  // the engine ends before it, and its actors may send when they are destroyed
}

testing::faults& simulation::faults()
{
    if (faults_ == nullptr)
        throw std::logic_error("a simulation without `.faults = true` injects none");
    return *faults_;
}

std::chrono::nanoseconds simulation::now() noexcept
{
    return std::chrono::nanoseconds(static_cast<std::int64_t>(clock_.now() - origin));
}

std::uint64_t simulation::next_timer() const noexcept
{
    std::uint64_t next = UINT64_MAX;
    for_each_strand([&](strand_context& each) { next = std::min(next, each.next_timer()); });
    for (const happenings* each : happenings_)
        if (each->next() != std::chrono::nanoseconds::max())
            next = std::min(next, origin + static_cast<std::uint64_t>(each->next().count()));
    return next;
}

bool simulation::step()
{
    std::vector<strand_context*> ready;
    for_each_strand([&](strand_context& each) {
        if (each.has_work() || each.next_timer() <= clock_.now())
            ready.push_back(&each);
    });
    std::vector<happenings*> due;
    for (happenings* each : happenings_)
        if (each->next() <= now())
            due.push_back(each);
    if (ready.empty() && due.empty())
        return false;
    const std::size_t chosen = random_.below(ready.size() + due.size());
    if (chosen < ready.size())
        ready[chosen]->step();
    else
        due[chosen - ready.size()]->happen();
    return true;
}

void simulation::run_until_idle()
{
    for (std::uint64_t steps = 0; step(); ++steps)
        if (steps >= options_.step_limit)
            throw stuck(fmt::format("seed {}: not at rest after {} steps\n{}", seed_, steps, dump()));
}

void simulation::advance(std::chrono::nanoseconds span)
{
    const std::uint64_t end =
        clock_.now() + static_cast<std::uint64_t>(std::max<std::int64_t>(span.count(), 0));
    run_until_idle();
    for (std::uint64_t next = next_timer(); next <= end; next = next_timer()) {
        clock_.set(next);
        run_until_idle();
    }
    clock_.set(end);
    run_until_idle();
}

/// Lets time pass to the next timer and runs what it makes ready. False, with time at `limit` from now, when
/// there is none before.
bool simulation::pass_to_next_timer(std::chrono::nanoseconds limit)
{
    const std::uint64_t end = clock_.now() + static_cast<std::uint64_t>(limit.count());
    const std::uint64_t next = next_timer();
    clock_.set(std::min(next, end));
    run_until_idle();
    return next < end;
}

void simulation::run_until(const std::function<bool()>& done)
{
    const std::uint64_t end = clock_.now() + static_cast<std::uint64_t>(options_.patience.count());
    std::uint64_t steps = 0;
    while (!done()) {
        if (step()) {
            if (++steps >= options_.step_limit)
                throw stuck(fmt::format("seed {}: not at rest after {} steps\n{}", seed_, steps, dump()));
            continue;
        }
        const std::uint64_t next = next_timer();
        if (next > end)
            throw stuck(fmt::format("seed {}: {}\n{}", seed_,
                next == UINT64_MAX ? "nothing is left to run" : "nothing has come in time", dump()));
        clock_.set(next);
    }
}

void simulation::stop(pid target)
{
    const auto ended = std::make_shared<bool>(false);
    engine().stop(target, [ended](error_code) { *ended = true; });
    run_until([&] { return *ended; });
}

probe simulation::make_probe()
{
    return probe(*this);
}

std::string simulation::dump() const
{
    std::string text;
    for (const auto& each : engines_)
        text += each->dump_stopped();
    return text.empty() ? "no actor is alive\n" : text;
}

probe::mailbox::~mailbox()
{
    for (envelope* left : arrived)
        left->discard();
}

probe::probe(simulation& sim) : sim_(&sim), box_(std::make_shared<mailbox>())
{
    pid_ = sim.engine().spawn({.placement = placement::chosen, .strand = 0}, &probe::body, box_);
    sim.run_until_idle();
}

/// Tells a probe whom to watch.
struct watch_order {
    pid target;
};

task<> probe::body(context& self, std::shared_ptr<mailbox> box)
{
    while (message received = co_await self.receive()) {
        received.mark_handled();
        if (received.is<watch_order>()) {
            self.watch(received.get<watch_order>().target);
            continue;
        }
        box->arrived.push_back(received.release());
    }
}

envelope* probe::next(const message_type& wanted)
{
    for (std::uint64_t steps = 0; box().arrived.empty() && steps < sim_->options_.step_limit && sim_->step();
        ++steps) {}
    if (box().arrived.empty())
        fail("expected a " + wanted.name() + ", and nothing came");
    envelope* arrived = box().arrived.front();
    if (arrived->type != &wanted)
        fail("expected a " + wanted.name() + ", got a " + arrived->type->name());
    box().arrived.pop_front();
    take(*arrived);
    return arrived;
}

void probe::watch(costar::pid target)
{
    in_turn([&](station& post) { post.send(pid_, watch_order{target}, pid_); });
    sim_->run_until_idle();
}

void probe::wait(std::chrono::nanoseconds limit)
{
    const std::chrono::nanoseconds end = sim_->now() + limit;
    sim_->run_until_idle();
    while (box().arrived.empty() && sim_->now() < end && sim_->pass_to_next_timer(end - sim_->now())) {}
}

/// The first message of this type, wherever it stands.
envelope* probe::next_of(const message_type& wanted)
{
    sim_->run_until_idle();
    const auto found = std::find_if(box().arrived.begin(), box().arrived.end(),
        [&](const envelope* each) { return each->type == &wanted; });
    if (found == box().arrived.end())
        fail("expected a " + wanted.name() + ", and none came");
    envelope* arrived = *found;
    box().arrived.erase(found);
    take(*arrived);
    return arrived;
}

void probe::take(envelope& arrived)
{
    let_go();
    sender_ = arrived.sender;
    reply_ = arrived.reply;
    if (arrived.type->reply == nullptr)
        let_go();  // nobody asks, but somebody may count what is under way
}

/// Of the message that was taken last, as an actor does.
void probe::let_go()
{
    const bool is_alive = box_.use_count() > 1;  // the actor has it too, while the simulation is there
    if (const std::uint64_t token = std::exchange(reply_, 0); token != 0 && is_alive)
        in_turn([&](station& post) { post.fail(token, errc::unanswered); });
}

void probe::done(envelope* taken)
{
    taken->discard();
}

void probe::expect_none()
{
    sim_->run_until_idle();
    if (!box().arrived.empty())
        fail("expected nothing, got a " + box().arrived.front()->type->name());
}

std::size_t probe::size()
{
    sim_->run_until_idle();
    return box().arrived.size();
}

probe::mailbox& probe::box() const
{
    if (box_ == nullptr)
        fail("the probe is empty: it was moved from");
    return *box_;
}

void probe::fail(const std::string& what) const
{
    throw unexpected(fmt::format("seed {}: {}\n{}", sim_->seed(), what, sim_->dump()));
}

}  // namespace costar::testing
