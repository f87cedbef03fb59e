// SPDX-License-Identifier: MIT

#include "switchboard.hpp"

#include "address.hpp"
#include "connecting.hpp"

#include <costar/core/log.hpp>
#include <costar/kernel/station.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

namespace costar::remote {

namespace {

std::uint64_t drawn_number(transport& network)
{
    std::uint64_t drawn = 0;
    while (drawn == 0)
        drawn = network.draw();
    return drawn;
}

}  // namespace

errc departing::bury(machine::post_office& where, errc reason) noexcept
{
    const errc why = machine::reason_of_loss(reason);
    lose(where, why);
    return why;
}

void departing::lose(machine::post_office& where, errc reason) noexcept
{
    const switchboard& board = switchboard::of(where);
    try {
        auto lost = out.read(*board.words().find(out.type), board);
        lost->reply = std::exchange(asker, 0);
        where.bury(lost.release(), out.target, reason);
    } catch (...) {
        // Without memory there is no dead letter.
    }
    for (const std::uint64_t token : {std::exchange(asker, 0), std::exchange(waiter, 0)})
        if (token != 0)
            where.fail(token, reason);
}

/// Whoever waits or watches is told that nothing is known.
errc departing_signal::bury(machine::post_office& where, errc reason) noexcept
{
    using kind = machine::outbound_signal::kind;
    const errc why = machine::reason_of_loss(reason);
    if (news.token != 0)
        where.fail(news.token, why);
    if (news.what == kind::watch)
        static_cast<machine::station&>(where).tell_watcher({news.about, news.is_linked}, news.to, why);
    else if (news.what == kind::poison)
        where.bury(machine::envelope::make(poison_pill{}, news.about), news.to, why);
    return why;
}

switchboard::switchboard(engine& owner, wire::dictionary words, node_options options, std::string address)
    : owner_(owner),
      shared_(owner.station_at(0).shared()),
      words_(std::move(words)),
      options_(std::move(options)),
      life_(drawn_number(*options_.network)),
      address_(std::move(address)),
      book_(options_.lives_max),
      known_ways_(shared_.stations.size() * known_ways_of_a_strand),
      residents_(std::make_shared<remote::residents>(options_.kinds, options_.spawned_max)),
      visitors_(options_.connections_max)
{}

void switchboard::send(machine::post_office& from, machine::outbound message)
{
    if (message.sent->type == &machine::type_of<poison_pill>) {
        const machine::outbound_signal pill{
            .what = machine::outbound_signal::kind::poison, .to = message.to, .about = message.sent->sender};
        const bool is_reached = bool(link_for(pill, from.home().now()));
        if (is_reached) {
            message.sent.reset();
            signal(from, pill);
        } else {
            from.bury(message.sent.release(), message.to, errc::unreachable);
        }
        if (message.token != 0 && is_reached)
            from.answer(message.token, std::monostate{});  // there is always room for it
        else if (message.token != 0)
            from.fail(message.token, errc::unreachable);
        return;
    }
    // Written here, where a message that belongs to its strand may be destroyed, and beside other strands.
    machine::envelope& sent = *message.sent;
    const wire::codec* const known = words_.find(*sent.type);
    const auto& way = find(from, message.to.node());
    machine::held_envelope packed(machine::envelope::make(departing()));
    departing& leaving = *static_cast<departing*>(packed->body());
    letter& out = leaving.out;
    errc failure{};
    pid link;
    if (known == nullptr)
        failure = errc::no_wire_form;
    else if (way.to == nullptr)
        failure = errc::not_local;
    else if (link = link_for(way, from.home().now()); !link)
        failure = errc::unreachable;
    else
        failure = out.write(*known, sent.body(), *this);
    out.with = std::move(message.with);
    if (failure == errc{} && !out.is_within(options_.message_max))
        failure = errc::too_large;
    if (failure == errc::too_large)
        tell_of_size(from.home().now(), *known, out.size(), options_.message_max);
    const std::size_t bytes = out.bytes();
    // Who waits already comes first.
    const bool has_room = failure != errc{} ||
        (way.to->waiting->outside.load(std::memory_order_relaxed) == 0 &&
            has_room_for(*way.to->waiting, bytes));
    if (!has_room && message.token == 0)
        failure = errc::mailbox_full;
    if (failure != errc{}) {
        from.bury(message.sent.release(), message.to, failure);
        if (message.token != 0)
            from.fail(message.token, failure);
        return;
    }

    out.target = message.to;
    out.sender = sent.sender;
    out.deadline = sent.deadline;
    if (sent.reply != 0) {
        leaving.asker = std::exchange(sent.reply, 0);
        leaving.asked_at = from.home().now();
        leaving.answer = sent.type->reply != nullptr ? words_.find(*sent.type->reply) : nullptr;
    }
    message.sent.reset();
    if (has_room) {
        out.place = place_in_queue(way.to->waiting, bytes);
    } else {
        leaving.waiter = message.token;
        leaving.outside = place_outside(way.to->waiting);
    }
    const bool is_ahead = is_far_ahead(*way.to->waiting);
    from.send(link, packed.release());
    if (has_room && message.token != 0)
        from.answer(message.token, std::monostate{});
    if (is_ahead)
        from.home().pause_running();
}

void switchboard::withdraw(machine::post_office& from, pid to, std::uint64_t token)
{
    if (const pid link = find(from, to.node()).link)
        from.send(link, withdrawn{token}, pid());
}

const peer_book::way& switchboard::find(const machine::post_office& from, std::uint32_t number)
{
    known_way& known =
        known_ways_[from.home().index() * known_ways_of_a_strand + number % known_ways_of_a_strand];
    const std::uint64_t version = book_.version();
    if (known.version != version || known.number != number)
        known = {number, version, book_.find(number)};
    return known.way;
}

/// Who sends lets others of its strand go on, links among them: more than some batches only fill memory.
bool switchboard::is_far_ahead(const waiting_letters& queue) const noexcept
{
    const std::size_t letters_max = std::min<std::size_t>(options_.queue_max / 8, 4 * letters_of_a_batch);
    return queue.count.load(std::memory_order_relaxed) > letters_max ||
        queue.bytes.load(std::memory_order_relaxed) > options_.queue_bytes_max / 8;
}

bool switchboard::has_room_for(const waiting_letters& queue, std::size_t bytes) const noexcept
{
    const std::uint64_t before = queue.bytes.load(std::memory_order_relaxed);
    return queue.count.load(std::memory_order_relaxed) < options_.queue_max &&
        (before == 0 || before + bytes <= options_.queue_bytes_max);
}

std::size_t switchboard::answer_bytes_max() const noexcept
{
    constexpr std::size_t least = std::size_t{64} * 1024 * 1024;
    return std::max<std::size_t>(least, 4 * options_.queue_bytes_max);
}

void switchboard::signal(machine::post_office& from, const machine::outbound_signal& news)
{
    const pid link = link_for(news, from.home().now());
    if (!link) {
        departing_signal{news}.bury(from, errc::unreachable);
        return;
    }
    if (!stays_behind(news.what)) {
        from.send(link, departing_news{{news}}, pid());
        return;
    }
    departing_signal leaving{news};
    if (const auto& way = find(from, news.to.node()); way.to != nullptr)
        leaving.place = place_in_queue(way.to->waiting, sizeof news);
    from.send(link, std::move(leaving), pid());
}

pid switchboard::link_for(const machine::outbound_signal& news, std::uint64_t now)
{
    using kind = machine::outbound_signal::kind;
    if (news.what == kind::ended)
        if (const pid route = book_.route_of({news.about, {news.to, news.is_linked}}))
            return route;
    const auto way = book_.find(news.to.node());
    // Nobody is dialled to hear that something is over.
    const bool is_late =
        news.what == kind::unwatch || news.what == kind::forget_end || news.what == kind::ended;
    return way.to == nullptr || is_late ? way.link : link_for(way, now);
}

pid switchboard::link_for(const peer_book::way& way, std::uint64_t now)
{
    if (way.link)
        return way.link;
    if (book_.rests(way.to->address, now) || shared_.closing)
        return {};
    try {
        return link_of(way);
    } catch (const error&) {  // the engine is stopping
        return {};
    }
}

void switchboard::tell_of_loss(
    std::uint64_t now, pid to, pid sender, errc reason, std::uint64_t type) noexcept
{
    counters.lost.fetch_add(1, std::memory_order_relaxed);
    try {
        const wire::codec* known = words_.find(type);
        const std::string name = known != nullptr ? known->type->name() : fmt::format("schema {:#x}", type);
        shared_.letters.note(now, [&] {
            return fmt::format(
                "dead letter {} to {} from {}: {}", name, to, sender, make_error_code(reason).message());
        });
        shared_.events.publish(dead_letter{to, sender, reason, name});
    } catch (const std::bad_alloc&) {
        // It is counted.
    }
}

void switchboard::tell_of_size(
    std::uint64_t now, const wire::codec& known, std::size_t bytes, std::size_t bytes_max)
{
    const std::string name = known.type->name();
    refusals_.write(log_level::warning, now, "too large " + name,
        bytes > bytes_max
            ? fmt::format("a message {} is too large for another node: {} bytes, where {} are the most", name,
                  bytes, bytes_max)
            : fmt::format("a message {} has more than {} headers, and is not sent to another node", name,
                  headers_max));
}

pid switchboard::link_of(const peer_book::way& way)
{
    if (way.link || way.to == nullptr || way.to->address.empty())
        return way.link;
    return link_to(way.to->address, way.to->number);
}

pid switchboard::link_to(const std::string& address, std::uint32_t number)
{
    if (const pid known = book_.join(address, number))
        return known;
    if (is_closed_)
        return {};
    // Two may dial at once: the second finds that the first was there.
    const pid made = spawn_dialling_link(*this, address);
    const pid chosen = book_.claim(address, number, made);
    if (chosen != made)
        owner_.stop(made);
    return chosen;
}

void switchboard::write(pid who, schema::Pid::Builder to) const
{
    if (!who)
        return;
    if (who.node() == shared_.node) {
        to.setLife(life_);
    } else if (const auto known = book_.find(who.node()).to) {
        to.setLife(known->life);
        if (!known->address.empty())
            to.setAddress(wire::text(known->address));
    } else {
        return;  // an actor of an engine that is no node: nobody there could reach it
    }
    to.setStrand(who.strand());
    to.setSlot(who.slot());
    to.setGeneration(who.generation());
}

pid switchboard::read(schema::Pid::Reader from, std::uint32_t teller) const
{
    const std::uint64_t life = from.getLife();
    if (life == 0)
        return {};
    std::uint32_t number = shared_.node;
    if (life != life_) {
        auto known = book_.find_life(life);
        if (known == nullptr)
            known = book_.enter(life, address_from(wire::text(from.getAddress())), teller);
        if (known == nullptr)
            return {};
        number = known->number;
    }
    return {number, from.getStrand(), from.getSlot(), from.getGeneration()};
}

void switchboard::offer(std::string name, service_factory made)
{
    const std::lock_guard lock(offers_mutex_);
    offers_.insert_or_assign(std::move(name), std::move(made));
}

service_factory switchboard::offered(const std::string& name) const
{
    const std::lock_guard lock(offers_mutex_);
    const auto found = offers_.find(name);
    return found != offers_.end() ? found->second : service_factory();
}

std::string switchboard::address_from(std::string_view text, const std::string& dialled) const
{
    const bool is_local = address_.empty() || is_unix_address(address_);
    return is_unix_address(text) && !is_local && text != dialled ? std::string() : address_or_none(text);
}

void switchboard::tell_of_certificates()
{
    std::vector<certificate_notice> news;
    {
        const std::lock_guard lock(notices_mutex_);
        news = network().look(notices_seen_);
    }
    for (const certificate_notice& each : news) {
        const bool is_good = each.what == certificate_notice::kind::reloaded;
        log(is_good ? log_level::info : log_level::warning, each.text);
        shared_.events.publish(each);
    }
}

greeting switchboard::new_greeting() const
{
    greeting mine;
    mine.name = options_.name;
    mine.life = life_;
    mine.address = address();
    mine.message_max = options_.message_max;
    mine.nonce = drawn_number(network());
    mine.elects = true;
    return mine;
}

}  // namespace costar::remote
