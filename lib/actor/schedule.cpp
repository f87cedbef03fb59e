// SPDX-License-Identifier: MIT

#include <costar/actor/schedule.hpp>

#include <costar/core/timer.hpp>

#include <algorithm>
#include <stdexcept>

namespace costar::machine {

using namespace std::chrono_literals;

namespace {

using wall_time = std::chrono::system_clock::time_point;

/// The date may be set at any time, so it is looked at this often.
constexpr std::chrono::seconds look_interval = 1min;

/// By cron, what is later than this was missed.
constexpr std::chrono::seconds late_max = 1min;

constexpr std::uint64_t missed_by_cron_max = 1000;

/// How many missed ones are sent at a time, so that others have their turn in between.
constexpr std::uint64_t missed_at_once_max = 64;

/// The times of a cron expression, and where a schedule stands in them.
struct timetable {
    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept
    {
        arena::deallocate(memory, bytes);
    }

    cron times;
    time_zone zone;
    std::chrono::sys_seconds next;
    wall_time looked_at;
};

/// Hears that a message was let go of. It outlives its schedule and its actor, since the message may.
class handling_watch final : private reply_waiter, private stray {
public:
    handling_watch(station& post, handling_watch*& place)
        : reply_waiter([](reply_waiter& self, const message_type*, void*, errc) noexcept {
              delete &static_cast<handling_watch&>(self);
          }),
          stray([](stray& self) noexcept { static_cast<handling_watch&>(self).give_up(); }),
          post_(post),
          token_(post.expect(*this)),
          place_(&place)
    {
        place = this;
        post.home().keep(*this);
    }

    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept
    {
        arena::deallocate(memory, bytes);
    }

    std::uint64_t token() const noexcept { return token_; }

    /// The schedule has ended.
    void leave() noexcept
    {
        *place_ = nullptr;
        place_ = nullptr;
    }

private:
    ~handling_watch()
    {
        if (place_ != nullptr)
            leave();
    }

    /// The strand ends before the message did.
    void give_up() noexcept
    {
        post_.forget(token_);
        delete this;
    }

    station& post_;
    std::uint64_t token_;
    handling_watch** place_;
};

}  // namespace

/// One schedule, as its actor keeps it. Its memory serves one after another until the actor has ended.
struct schedule_entry : timer_node {
    static void* operator new(std::size_t bytes) { return arena::current().allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept
    {
        arena::deallocate(memory, bytes);
    }

    schedule_book* book = nullptr;
    schedule_entry* next_entry = nullptr;
    schedule_entry** place = nullptr;  // the pointer that points here
    envelope* message = nullptr;
    schedule_book::copy_function copy = nullptr;  // null for what is sent once
    handling_watch* handling = nullptr;           // of the message sent last
    std::unique_ptr<timetable> table;
    pid to;
    std::uint64_t interval = 0;
    std::uint64_t skipped = 0;
    std::uint32_t generation = 0;
    costar::pace pace{};
    costar::overlap overlap{};
    costar::missed missed{};
};

}  // namespace costar::machine

namespace costar {

using namespace machine;

schedule::schedule(const cell& owner, schedule_entry& entry) noexcept
    : owner_(station::of(owner).pid_of(owner)), entry_(&entry), generation_(entry.generation)
{}

/// Null when it has ended.
schedule_entry* schedule::find() const noexcept
{
    strand_context* here = strand_context::current();
    if (here == nullptr || entry_ == nullptr)
        return nullptr;
    // The entry's memory lasts as long as the actor.
    if (static_cast<station&>(here->receiver()).find(owner_) == nullptr || entry_->generation != generation_)
        return nullptr;
    return entry_;
}

void schedule::cancel() noexcept
{
    if (schedule_entry* found = find())
        found->book->end(*found);
}

bool schedule::active() const noexcept
{
    return find() != nullptr;
}

std::uint64_t schedule::skipped() const noexcept
{
    const schedule_entry* found = find();
    return found != nullptr ? found->skipped : 0;
}

}  // namespace costar

namespace costar::machine {

schedule_book& schedule_book::of(cell& owner)
{
    if (owner.state == life::closing)
        throw error(errc::cancelled);
    std::unique_ptr<body_companion>& place = owner.rare_part_made().companion;
    if (place == nullptr)
        place = std::make_unique<schedule_book>(owner);
    return static_cast<schedule_book&>(*place);
}

schedule_book::~schedule_book()
{
    body_ended();
    while (schedule_entry* left = unused_) {
        unused_ = left->next_entry;
        delete left;
    }
}

schedule_entry& schedule_book::open(pid to, held_message message)
{
    schedule_entry* opened = unused_;
    if (opened != nullptr)
        unused_ = opened->next_entry;
    else
        opened = new schedule_entry;
    opened->book = this;
    opened->fire = &schedule_book::fire;
    opened->next_entry = running_;
    opened->place = &running_;
    if (running_ != nullptr)
        running_->place = &opened->next_entry;
    running_ = opened;
    opened->to = to;
    opened->message = message.release();
    opened->copy = nullptr;
    opened->skipped = 0;
    return *opened;
}

void schedule_book::end(schedule_entry& ended) noexcept
{
    home().disarm(ended);
    ++ended.generation;
    *ended.place = ended.next_entry;
    if (ended.next_entry != nullptr)
        ended.next_entry->place = ended.place;
    ended.next_entry = unused_;
    unused_ = &ended;
    if (ended.handling != nullptr)
        ended.handling->leave();
    ended.table.reset();
    // Last, since the user's destructor may come back here.
    held_message left(std::exchange(ended.message, nullptr));
}

void schedule_book::body_ended() noexcept
{
    while (running_ != nullptr)
        end(*running_);
}

schedule schedule_book::send_after(std::chrono::nanoseconds delay, pid to, held_message message)
{
    schedule_entry& made = open(to, std::move(message));
    home().arm(made, deadline_after(home().time_for(delay), delay));
    return schedule(owner_, made);
}

schedule schedule_book::send_every(std::chrono::nanoseconds interval, pid to, held_message message,
    copy_function copy, const repeat_options& options)
{
    if (interval <= 0ns)
        throw std::invalid_argument("a message is sent at an interval that is longer than nothing");
    const std::chrono::nanoseconds first = options.first.value_or(interval);
    schedule_entry& made = open(to, std::move(message));
    made.copy = copy;
    made.interval = static_cast<std::uint64_t>(interval.count());
    made.pace = options.pace;
    made.overlap = options.overlap;
    made.missed = options.missed;
    home().arm(made, deadline_after(home().time_for(first), first));
    return schedule(owner_, made);
}

schedule schedule_book::send_at_cron(
    const cron& times, pid to, held_message message, copy_function copy, const cron_options& options)
{
    const time_zone zone = time_zone::find(options.zone);
    const wall_time wall = home().read_wall();
    const auto first = times.next_after(std::chrono::floor<std::chrono::seconds>(wall), zone);
    if (!first)
        throw std::invalid_argument("the times of the cron expression never come");
    std::unique_ptr<timetable> table(new timetable{times, zone, *first, wall});
    schedule_entry& made = open(to, std::move(message));
    made.copy = copy;
    made.table = std::move(table);
    made.overlap = options.overlap;
    made.missed = options.missed;
    arm_by_cron(made, wall);
    return schedule(owner_, made);
}

void schedule_book::fire(timer_node* timer) noexcept
{
    auto& due = *static_cast<schedule_entry*>(timer);
    schedule_book& self = *due.book;
    try {
        self.tick(due);
    } catch (...) {
        station::of(self.owner_).task_done(self.owner_, caught_exception());
    }
}

void schedule_book::tick(schedule_entry& due)
{
    if (due.copy == nullptr)
        tick_once(due);
    else if (due.table == nullptr)
        tick_again(due);
    else
        tick_by_cron(due);
}

void schedule_book::tick_once(schedule_entry& due)
{
    envelope* sent = std::exchange(due.message, nullptr);
    const pid to = due.to;
    end(due);
    station::of(owner_).send(to, sent);
}

void schedule_book::tick_again(schedule_entry& due)
{
    if (due.pace == pace::fixed_delay) {
        // The time of the turn may lie before the message that is sent now.
        home().arm(due, deadline_after(home().read_clock(), std::chrono::nanoseconds(due.interval)));
        send_copy(due);
        return;
    }
    const std::uint64_t now = home().now();
    // All but the last of the ticks that are due were missed. Where each is sent, but not all at once, the
    // next ones are due already.
    std::uint64_t passed = (std::max(now, due.due) - due.due) / due.interval;
    if (due.missed == missed::all)
        passed = std::min(passed, missed_at_once_max);
    const std::uint64_t last = due.due + passed * due.interval;
    home().arm(due, deadline_after(last, std::chrono::nanoseconds(due.interval)));
    const std::uint32_t generation = due.generation;
    send_missed(due, passed);
    if (due.generation == generation)  // whoever hears of a dead letter may cancel
        send_copy(due);
}

void schedule_book::tick_by_cron(schedule_entry& due)
{
    using std::chrono::floor;
    using std::chrono::seconds;
    timetable& table = *due.table;
    const wall_time wall = home().read_wall();
    const bool was_set_back = wall + look_interval < table.looked_at;
    table.looked_at = wall;
    if (was_set_back) {
        const auto next = table.times.next_after(floor<seconds>(wall), table.zone);
        table.next = next.value_or(std::chrono::sys_seconds::max());
    }
    const auto now = floor<seconds>(wall);
    if (now < table.next) {
        arm_by_cron(due, wall);
        return;
    }
    // All but the last of the ticks that are due were missed, and that one too if it is long ago.
    std::uint64_t missed = 0;
    bool is_in_time = false;
    std::optional<std::chrono::sys_seconds> next = table.next;
    while (next && *next <= now) {
        const auto tick = *next;
        if (missed >= missed_by_cron_max && now - tick > late_max) {
            next = table.times.next_after(now - late_max - 1s, table.zone);
            continue;
        }
        next = table.times.next_after(tick, table.zone);
        is_in_time = (!next || *next > now) && now - tick <= late_max;
        missed += !is_in_time;
    }
    const std::uint32_t generation = due.generation;
    if (next) {
        table.next = *next;
        arm_by_cron(due, wall);
    }
    send_missed(due, std::min(missed, missed_by_cron_max));
    if (is_in_time && due.generation == generation)
        send_copy(due);
    if (!next && due.generation == generation)
        end(due);
}

void schedule_book::send_missed(schedule_entry& due, std::uint64_t count)
{
    std::uint64_t sent = 0;
    if (due.missed == missed::all)
        sent = count;
    else if (due.missed == missed::once)
        sent = std::min<std::uint64_t>(count, 1);
    else
        due.skipped += count;
    const std::uint32_t generation = due.generation;
    for (; sent > 0 && due.generation == generation; --sent)
        send_copy(due);
}

void schedule_book::send_copy(schedule_entry& due)
{
    if (due.handling != nullptr) {
        ++due.skipped;
        return;
    }
    held_message sent(due.copy(*due.message));
    station& post = station::of(owner_);
    if (due.overlap == overlap::skip)
        sent->reply = (new handling_watch(post, due.handling))->token();
    post.send(due.to, sent.release());
}

void schedule_book::arm_by_cron(schedule_entry& entry, wall_time wall) noexcept
{
    using std::chrono::nanoseconds;
    const auto now = std::chrono::floor<std::chrono::seconds>(wall);
    const nanoseconds left = entry.table->next - now > look_interval
        ? nanoseconds(look_interval)
        : nanoseconds(entry.table->next - now) - (wall - now);
    home().arm(entry, deadline_after(home().read_clock(), left));
}

}  // namespace costar::machine
