// SPDX-License-Identifier: MIT

#include <costar/actor/engine.hpp>

#include <costar/core/log.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>

namespace costar {

using namespace machine;

namespace {

scheduler_options scheduling_of(const engine_options& options)
{
    return {.strands = options.strands,
        .spin = options.spin,
        .pin_threads = options.pin_threads,
        .turn = options.turn,
        .clock = options.clock};
}

}  // namespace

engine::engine(engine_options options, std::unique_ptr<scheduler> strands)
    : shutdown_timeout_(options.shutdown_timeout), strands_(std::move(strands))
{
    shared_.node = next_node_number();
    shared_.node_name = std::move(options.name);
    shared_.ask_timeout = options.ask_timeout;
    if (options.guardian)
        shared_.guardian = std::make_shared<const supervisor>(std::move(*options.guardian));
    shared_.chain = std::move(options.middleware);
    if (std::find(shared_.chain.begin(), shared_.chain.end(), nullptr) != shared_.chain.end())
        throw std::invalid_argument("a middleware of the engine is null");
    shared_.letters.configure(options.dead_letter_lines, options.dead_letter_interval);
    shared_.owner = this;
    shared_.faces = &context::all_faces();
    offload_ =
        std::make_unique<offload_pool>(options.offload_threads, options.offload_queue, strands_->is_manual());
    shared_.offload = offload_.get();
    std::vector<parcel_receiver*> receivers;
    for (std::size_t i = 0; i < strands_->size(); ++i) {
        stations_.push_back(std::make_unique<station>(shared_, strands_->at(i)));
        shared_.stations.push_back(stations_.back().get());
        receivers.push_back(stations_.back().get());
    }
    strands_->start(receivers);
}

engine::engine(engine_options options) : engine(options, std::make_unique<scheduler>(scheduling_of(options)))
{}

engine::engine(asio::any_io_executor borrowed, engine_options options)
    : engine(std::vector<asio::any_io_executor>{std::move(borrowed)}, std::move(options))
{}

engine::engine(std::vector<asio::any_io_executor> borrowed, engine_options options)
    : engine(options, std::make_unique<scheduler>(std::move(borrowed), scheduling_of(options)))
{}

engine::engine(scheduler::manual mode, engine_options options)
    : engine(options, std::make_unique<scheduler>(mode, scheduling_of(options)))
{}

engine::~engine()
{
    if (strands_->is_owned() &&
        !gave_up_.load(
            std::memory_order_relaxed)) {  // even with no actor alive: some may be on their way to be born
        try {
            const shutdown_report report = shutdown(shutdown_timeout_);
            for (const std::string& name : report.left)
                log(log_level::warning, fmt::format("actor {} had not ended when its engine did", name));
        } catch (const std::bad_alloc&) {
            // Its actors are destroyed below as they are.
        }
    }
    offload_->close();  // while strands with threads of their own still run, for functions that ask them
    shared_.closing.store(true, std::memory_order_relaxed);
    strands_->stop();
    for (std::size_t i = 0; i < strands_->size(); ++i)
        strands_->at(i).tear_down([this, i] { stations_[i]->destroy_all(); });
    for (std::size_t i = 0; i < strands_->size(); ++i)
        strands_->at(i).tear_down([] {});
    strands_.reset();
}

/// Null for a strand of another engine.
station* engine::station_of(strand_context& current) const noexcept
{
    if (current.index() >= shared_.stations.size())
        return nullptr;
    station* post = shared_.stations[current.index()];
    return &post->home() == &current ? post : nullptr;
}

void engine::send_from_outside(pid to, envelope* sent)
{
    if (to.node() != shared_.node || to.strand() >= shared_.stations.size()) {
        // Somebody has to make the dead letter; the first strand does.
        station& post = *shared_.stations[0];
        post.home().post_in_line(
            make_job([&post, to, held = held_envelope(sent)]() mutable { post.send(to, held.release()); }));
        return;
    }
    const parcel packed = pack(to.key(), sent);
    if (!shared_.stations[to.strand()]->home().send_from_outside(packed))
        shared_.stations[to.strand()]->discard(const_cast<parcel&>(packed));
}

void engine::stop(pid target)
{
    station& post = post_of(target);
    if (here() == &post)
        post.stop(target, 0);
    else
        post.home().post([&post, target] { post.stop(target, 0); });
}

void engine::restart(pid target)
{
    station& post = post_of(target);
    if (here() == &post)
        post.restart(target);
    else
        post.home().post([&post, target] { post.restart(target); });
}

namespace {

using lines = std::vector<std::string>;

/// What each strand says, or that it does not answer in time: one line then.
lines ask_all(const commons& shared, lines (station::*question)() const, std::chrono::nanoseconds patience)
{
    std::vector<std::future<lines>> parts;
    for (station* part : shared.stations) {
        std::promise<lines> promise;
        parts.push_back(promise.get_future());
        part->home().post([part, question, promise = std::move(promise)]() mutable {
            promise.set_value((part->*question)());
        });
    }
    const auto now = std::chrono::steady_clock::now();
    const auto end = patience < decltype(now)::max() - now ? now + patience : decltype(now)::max();
    lines all;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].wait_until(end) != std::future_status::ready) {
            all.push_back(shared.stations[i]->busy_line());
            continue;
        }
        for (std::string& line : parts[i].get())
            all.push_back(std::move(line));
    }
    return all;
}

std::string joined(const lines& all)
{
    std::string text;
    for (const std::string& line : all)
        text += line + "\n";
    return text;
}

}  // namespace

std::string engine::dump(std::chrono::nanoseconds patience)
{
    return joined(ask_all(shared_, &station::dump, patience));
}

std::string engine::dump_stopped() const
{
    std::string text;
    for (const station* part : shared_.stations)
        text += joined(part->dump());
    return text;
}

std::optional<pid> engine::find(std::string_view name) const
{
    if (const auto known = shared_.names.find(name))
        return known;
    if (name.starts_with(shared_.node_name) && name.substr(shared_.node_name.size()).starts_with("/"))
        if (const auto known = shared_.names.find(name.substr(shared_.node_name.size() + 1)))
            return known;
    return pid::parse(name);
}

station_figures engine::figures() const noexcept
{
    station_figures all;
    for (const station* part : shared_.stations) {
        const station_figures figures = part->figures();
        all.live += figures.live;
        all.spawned += figures.spawned;
        all.restarts += figures.restarts;
        all.dead_letters += figures.dead_letters;
        all.late_replies += figures.late_replies;
        all.dropped += figures.dropped;
    }
    return all;
}

namespace {

/// Waits on the first strand until every strand has ended its actors or the deadline is over.
class shutting_down : public timer_node, public stray, public std::enable_shared_from_this<shutting_down> {
public:
    using outcome = std::function<void(boost::system::error_code, shutdown_report)>;

    shutting_down(commons& shared, outcome done)
        : stray([](stray& self) noexcept { static_cast<shutting_down&>(self).let_go(); }),
          shared_(shared),
          done_(std::move(done)),
          busy_(shared.stations.size())
    {
        fire = [](timer_node* timer) { static_cast<shutting_down*>(timer)->give_up(); };
    }

    void begin(std::chrono::nanoseconds deadline)
    {
        strand_context& home = shared_.stations[0]->home();
        self_ = shared_from_this();
        home.keep(*this);
        home.arm(*this, deadline_after(home.read_clock(), deadline));
        for (station* part : shared_.stations) {
            part->home().post([self = shared_from_this(), part] {
                part->stop_all([self] {
                    self->shared_.stations[0]->home().post([self] { self->strand_ended({}, false); });
                });
            });
        }
    }

private:
    /// The engine is destroyed before the end was reached.
    void let_go() noexcept
    {
        shared_.stations[0]->home().disarm(*this);
        forget();
        self_.reset();
    }

    void strand_ended(const std::vector<std::string>& left, bool late)
    {
        if (!done_ || late != giving_up_)
            return;
        report_.left.insert(report_.left.end(), left.begin(), left.end());
        if (--busy_ != 0)
            return;
        shared_.stations[0]->home().disarm(*this);
        const auto keep = std::exchange(self_, nullptr);
        forget();
        const bool complete = report_.left.empty();
        std::exchange(done_, nullptr)(
            complete ? boost::system::error_code() : make_error_code(errc::timed_out), std::move(report_));
    }

    void give_up()
    {
        giving_up_ = true;
        busy_ = shared_.stations.size();
        for (station* part : shared_.stations) {
            part->home().post([self = shared_from_this(), part] {
                self->shared_.stations[0]->home().post(
                    [self, left = part->living_names()] { self->strand_ended(left, true); });
            });
        }
    }

    commons& shared_;
    outcome done_;
    std::size_t busy_;
    bool giving_up_ = false;
    shutdown_report report_;
    std::shared_ptr<shutting_down> self_;
};

}  // namespace

void engine::begin_shutdown(
    std::chrono::nanoseconds deadline, std::function<void(boost::system::error_code, shutdown_report)> done)
{
    shared_.closing.store(true, std::memory_order_relaxed);
    auto ending = std::make_shared<shutting_down>(
        shared_, [this, done = std::move(done)](boost::system::error_code code, shutdown_report report) {
            if (code)
                gave_up_.store(true, std::memory_order_relaxed);
            done(code, std::move(report));
        });
    shared_.stations[0]->home().post([ending, deadline] { ending->begin(deadline); });
}

shutdown_report engine::shutdown(std::chrono::nanoseconds deadline)
{
    if (!strands_->is_owned())
        throw std::logic_error(
            "a borrowed engine is shut down with async_shutdown: its executors belong to others");
    if (strands_->is_own_thread())
        throw std::logic_error("an engine cannot wait for its end on one of its own threads");
    const auto ended = std::make_shared<std::promise<shutdown_report>>();
    auto waiting = ended->get_future();
    begin_shutdown(deadline,
        [ended](boost::system::error_code, shutdown_report left) { ended->set_value(std::move(left)); });
    // The deadline passes on a strand, by the engine's clock. One that is kept by a handler sees neither.
    const std::chrono::nanoseconds patience = std::chrono::milliseconds(100);
    const std::chrono::nanoseconds longest = std::chrono::hours(24);
    auto next = std::clamp(deadline, std::chrono::nanoseconds(0), longest) + patience;
    while (waiting.wait_for(next) != std::future_status::ready) {
        lines left = ask_all(shared_, &station::living_names, patience);
        const bool is_busy = std::any_of(
            left.begin(), left.end(), [](const std::string& line) { return line.starts_with("strand "); });
        if (is_busy && deadline < longest && waiting.wait_for(patience) != std::future_status::ready) {
            gave_up_.store(true, std::memory_order_relaxed);
            return {std::move(left)};
        }
        next = patience;
    }
    return waiting.get();
}

}  // namespace costar
