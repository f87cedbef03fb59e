// SPDX-License-Identifier: MIT

// How a link begins: who is there, and whether both sides want each other.

#include "link.hpp"

#include "admission.hpp"

#include <costar/core/log.hpp>
#include <costar/core/when_any.hpp>
#include <costar/core/with_timeout.hpp>
#include <costar/rpc/await.hpp>

#include <fmt/format.h>

#include <string>
#include <utility>

namespace costar::remote {

/// Finds out who is there, and greets a node. The text says why it came to nothing.
///
/// Who has accepted asks the peer for nothing before it has said hello: a client may have no bootstrap
/// object, and some implementations give up a connection on which what is missing is called.
task<std::string> link::meet()
{
    if (!has_dialled_) {
        rpc::pending<kj::Promise<void>> called(
            kj::mv(first_call_.promise).exclusiveJoin(connection_.disconnected()));
        co_await kj::mv(called);
        if (caller_ == caller_kind::unknown)
            co_return "it has said nothing";
        if (is_client())
            co_return std::string();
    }
    std::string refused = co_await greet();
    if (refused.empty() && !is_used_) {
        rpc::pending<kj::Promise<void>> used(kj::mv(use_.promise).exclusiveJoin(connection_.disconnected()));
        co_await kj::mv(used);
        if (!is_used_)
            co_return "the peer has closed the connection";
    }
    co_return refused;
}

/// The same, in time. Who dials hears meanwhile that another connection to the same node is used.
task<std::string> link::meet_or_yield()
{
    auto in_time = with_timeout(board_.options().greeting_timeout, meet());
    if (!has_dialled_)
        co_return co_await std::move(in_time);
    auto first = when_any(std::move(in_time), self_.receive<give_way>());
    auto result = co_await std::move(first);
    if (result.index() == 0)
        co_return std::get<0>(std::move(result));
    yielded_to_ = board_.book().yield(self_.pid());
    co_return "another connection was to be used, and has ended";
}

caller_kind link::take_call(caller_kind as)
{
    if (caller_ == caller_kind::unknown) {
        caller_ = as;
        if (as == caller_kind::node)
            node_ = rpc::nothrow<schema::Node::Client>(connection_.bootstrap<schema::Node>());
        else
            permitted_ =
                board_.options().sent_by.permit(place_->proven_names.value_or(std::vector<std::string>()));
        first_call_.fulfiller->fulfill();
    }
    return caller_;
}

/// Says who is here, and opens the sink for what is sent. The text says why it came to nothing.
task<std::string> link::greet()
{
    auto hello = node_->helloRequest();
    mine_.write(hello.initGreeting());
    const std::uint64_t asked = board_.book().turn();
    auto heard = co_await rpc::send(hello);
    if (place_->refused != refusal::none)
        co_return text_of(*place_);  // it has greeted meanwhile
    const auto welcome = heard.getWelcome();
    if (welcome.getRefusal() != 0) {
        place_->refused = static_cast<refusal>(welcome.getRefusal());
        place_->by_peer = true;
        co_return text_of(*place_);
    }
    const greeting theirs = greeting::read(welcome.getGreeting());
    const auto agreed = admit(board_, self_.pid(), *place_, mine_, theirs);
    if (!agreed) {
        auto gone = connection_.disconnected();  // when it has been told why, as its hello is answered
        try {
            co_await kj::mv(gone);
        } catch (const rpc::error&) {}
        co_return text_of(*place_);
    }
    if (!accept(theirs, *agreed)) {
        place_->refused = refusal::too_many;
        co_return text_of(*place_);
    }
    if (has_dialled_ && elects_ && !is_elected(welcome.getOthers(), asked))
        co_return "another connection to it is used";
    auto open = node_->openRequest();
    auto opened = co_await rpc::send(open);
    sink_.emplace(opened.getSink());
    outlet_ = direct_.opened({window_least, window_most});
    if (!outlet_)
        co_return "it gives a sink that is not its own";
    if (welcome.getNotice() == 1 && !shares_address_)
        tell_of_address(mine_.address, mine_.name, {});
    co_return std::string();
}

void link::hear(const greeting& theirs, schema::Welcome::Builder welcome)
{
    const auto agreed = admit(board_, self_.pid(), *place_, mine_, theirs);
    if (agreed && !accept(theirs, *agreed))
        place_->refused = refusal::too_many;
    if (const refusal why = place_->refused; why != refusal::none) {
        welcome.setRefusal(static_cast<std::uint16_t>(why));
        welcome.setText(text_of(why));
        if (was_greeted_)
            end(text_of(*place_));
        return;
    }
    welcome.setProtocol(agreed->protocol);
    mine_.write(welcome.initGreeting());
    if (shares_address_)
        welcome.setNotice(1);
    if (elects_) {
        const auto told = board_.book().told_to(peer_, self_.pid());
        welcome.setOthers(kj::arrayPtr(told.data(), told.size()));
    }
    has_heard_ = true;
}

/// Whether another living node says that it can be dialled where the peer does, which is told once a link.
void link::look_at_address(const std::string& address)
{
    if (shares_address_ || address.empty() || peer_name_.empty())
        return;
    const bool is_mine = address == mine_.address;
    const std::string other = is_mine ? mine_.name : board_.book().other_at(address, peer_name_);
    shares_address_ = is_mine || !other.empty();
    if (shares_address_)
        tell_of_address(address, peer_name_, other);
}

void link::tell_of_address(const std::string& address, const std::string& name, const std::string& other)
{
    board_.shared().events.publish(address_shared{address, name, other});
    board_.refusals().write(log_level::warning, post().home().now(), address,
        fmt::format("nodes {} and {} say both that they can be dialled at {}: set node_options::advertised",
            name, other.empty() ? "another one" : other, address));
}

/// False where no more nodes may be known.
bool link::accept(const greeting& theirs, const agreement& agreed)
{
    const auto known = board_.book().enter_greeted(theirs.life,
        board_.address_from(theirs.address, has_dialled_ ? address_ : ""), theirs.name,
        theirs.unknown_features);
    if (known == nullptr || (peer_ != 0 && peer_ != known->number))
        return false;  // also one that greets as two
    message_max_ = agreed.message_max;
    peer_name_ = theirs.name;
    permitted_ = board_.options().sent_by.permit({&peer_name_, 1});
    peer_ = known->number;
    if (counters_ == nullptr) {
        queue_ = known->waiting;
        counters_ = known->counters;
        elects_ = theirs.elects;  // as it has said first
    }
    if (elects_)
        board_.book().meet(peer_,
            {.link = self_.pid(),
                .nonce = has_dialled_ ? mine_.nonce : theirs.nonce,
                .dialler = has_dialled_ ? mine_.name : theirs.name,
                .has_dialled = has_dialled_,
                .handing_over = taking_over_.count()});
    else
        come_into_use({.former = board_.book().greeted(peer_, self_.pid(), has_dialled_)});
    look_at_address(known->address);
    return true;
}

/// Is this connection, which this side has dialled, used? Else another one to the same node is.
bool link::is_elected(capnp::List<std::uint64_t>::Reader told, std::uint64_t asked)
{
    election::ballot cast{{}, asked};
    for (unsigned i = 0; i < told.size() && i < others_max; ++i)
        cast.told.push_back(told[i]);
    const peer_book::verdict found = board_.book().elect(peer_, self_.pid(), cast);
    yielded_to_ = found.yields_to;
    if (!yielded_to_)
        come_into_use(found);
    return !yielded_to_;
}

void link::be_used()
{
    if (has_dialled_ || !elects_ || is_used_)
        return;
    come_into_use(board_.book().use(peer_, self_.pid()));
    use_.fulfiller->fulfill();
}

void link::come_into_use(const peer_book::verdict& found)
{
    if (!std::exchange(is_used_, true))
        count_link(true);
    for (const pid former : found.former)
        self_.send(former, link_ended{"the peer has dialled again"});
    for (const pid dialling : found.dialling)
        self_.send(dialling, give_way{});
}

}  // namespace costar::remote
