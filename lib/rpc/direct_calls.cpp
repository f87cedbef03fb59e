// SPDX-License-Identifier: MIT

#include <costar/rpc/direct_calls.hpp>

#include "gathering_stream.hpp"

#include <costar/core/strand.hpp>
#include <costar/rpc/error.hpp>

#include <capnp/serialize.h>
#include <kj/debug.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace costar::machine {

namespace {

namespace protocol = capnp::rpc;

constexpr std::uint32_t first_question = 0x8000'0000;

/// What a peer may have this side keep.
constexpr std::size_t opening_max = 64;
constexpr std::size_t unfinished_max = 65'536;
constexpr std::size_t held_bytes_max = std::size_t{24} * 1024 * 1024;  // windows of some objects

// `Return.noFinishNeeded` has come with Cap'n Proto 1.0: a bit that older ones neither read nor write.
constexpr std::size_t no_finish_byte = 4;
constexpr kj::byte no_finish_bit = 2;

bool says_no_finish_needed(protocol::Return::Reader came)
{
    const capnp::Data::Reader data = capnp::AnyStruct::Reader(kj::mv(came)).getDataSection();
    return data.size() > no_finish_byte && (data[no_finish_byte] & no_finish_bit) != 0;
}

void say_no_finish_needed(protocol::Return::Builder given)
{
    capnp::AnyStruct::Builder(kj::mv(given)).getDataSection()[no_finish_byte] |= no_finish_bit;
}

/// The capability of the peer's own that a Return gives, and nothing else.
std::optional<std::uint32_t> only_object(protocol::Return::Reader given)
{
    if (!given.isResults())
        return std::nullopt;
    const auto given_ones = given.getResults().getCapTable();
    if (given_ones.size() != 1 || !given_ones[0].isSenderHosted())
        return std::nullopt;
    return given_ones[0].getSenderHosted();
}

std::uint64_t now()
{
    return strand_context::current()->read_clock();
}

kj::Array<capnp::word> copy_of(kj::ArrayPtr<const capnp::word> message)
{
    auto copy = kj::heapArray<capnp::word>(message.size());
    std::memcpy(copy.begin(), message.begin(), message.size() * sizeof(capnp::word));
    return copy;
}

}  // namespace

/// What calls are written into on this thread: clean between them.
struct direct_call::memory {
    static constexpr std::size_t words = std::size_t{10} * 1024;

    kj::Array<capnp::word> first = kj::heapArray<capnp::word>(words);
    bool is_lent = false;

    memory() { std::memset(first.begin(), 0, words * sizeof(capnp::word)); }

    static memory* lend()
    {
        thread_local memory own;
        return std::exchange(own.is_lent, true) ? nullptr : &own;
    }
};

direct_call::direct_call(const direct_outlet& on, method_id method)
    : lent_(memory::lend()),
      message_(
          lent_ != nullptr ? kj::ArrayPtr<capnp::word>(lent_->first) : kj::ArrayPtr<capnp::word>(nullptr)),
      call_(message_.initRoot<protocol::Message>().initCall())
{
    call_.initTarget().setImportedCap(on.capability);
    call_.setInterfaceId(method.interface);
    call_.setMethodId(method.number);
    call_.initParams();
}

direct_call::~direct_call()
{
    if (lent_ != nullptr)
        lent_->is_lent = false;
}

direct_calls::direct_calls(gathering_stream& stream, method_id opens, std::uint64_t objects,
    std::uint16_t methods, direct_user& user)
    : stream_(stream), opens_(opens), interface_(objects), methods_(methods), user_(user)
{
    stream_.watch(this);
}

direct_calls::~direct_calls()
{
    stream_.watch(nullptr);
}

std::optional<direct_outlet> direct_calls::opened(flow_window window)
{
    if (opened_.empty())
        return std::nullopt;
    const std::optional<std::uint32_t> first = opened_.front();
    opened_.pop_front();
    return first ? std::optional(direct_outlet{*first, window}) : std::nullopt;
}

void direct_calls::send(direct_outlet& on, direct_call& what, kj::ArrayPtr<const kj::byte> held,
    std::shared_ptr<const void> owner)
{
    const std::uint32_t question = first_question | ++last_question_;
    what.call_.setQuestionId(question);
    const auto segments = what.message_.getSegmentsForOutput();
    std::size_t bytes = 0;
    for (const auto& each : segments)
        bytes += each.size() * sizeof(capnp::word);
    under_way_.push_back({question, on.window.send(bytes, now()), &on});
    stream_.write(segments, held, std::move(owner));
}

void direct_calls::send_now()
{
    stream_.send_now();
}

bool direct_calls::has_come(
    kj::ArrayPtr<const capnp::word> message, const capnp::ReaderOptions& options) noexcept
{
    options_ = options;
    try {
        capnp::FlatArrayMessageReader whole(message, options);
        const auto what = whole.getRoot<protocol::Message>();
        switch (what.which()) {
        case protocol::Message::CALL:
            return take_call(what.getCall(), message);
        case protocol::Message::RETURN:
            return take_return(what.getReturn());
        case protocol::Message::FINISH:
            return take_finish(what.getFinish().getQuestionId(), what.getFinish().getReleaseResultCaps());
        case protocol::Message::RELEASE:
            objects_.erase(what.getRelease().getId());
            return false;
        default:
            return false;
        }
    } catch (const kj::Exception&) {
        return false;  // Cap'n Proto says what is wrong with it
    } catch (const std::exception& failure) {
        user_.has_failed(failure.what());
        return true;
    }
}

void direct_calls::is_written(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) noexcept
{
    try {
        capnp::SegmentArrayMessageReader whole(segments);
        const auto what = whole.getRoot<protocol::Message>();
        if (what.isCall())
            note_call(what.getCall());
        else if (what.isReturn())
            note_return(what.getReturn());
    } catch (const kj::Exception&) {
        // None of those that are looked for.
    } catch (const std::exception& failure) {
        user_.has_failed(failure.what());
    }
}

bool direct_calls::opens(protocol::Call::Reader call) const
{
    return call.getMethodId() == opens_.number && call.getInterfaceId() == opens_.interface;
}

void direct_calls::note_call(protocol::Call::Reader call)
{
    if (opens(call))
        asking_.insert(call.getQuestionId());
}

void direct_calls::note_return(protocol::Return::Reader given)
{
    const auto asked = opening_.find(given.getAnswerId());
    if (asked == opening_.end())
        return;
    asked->second = only_object(given);
    if (asked->second)
        objects_[*asked->second] = user_.new_object();
    else if (says_no_finish_needed(given))
        opening_.erase(asked);
}

bool direct_calls::take_call(protocol::Call::Reader call, kj::ArrayPtr<const capnp::word> message)
{
    const auto target = call.getTarget();
    if (target.isPromisedAnswer()) {
        const auto asked = opening_.find(target.getPromisedAnswer().getQuestionId());
        if (asked != opening_.end()) {
            if (asked->second)
                objects_.erase(*asked->second);
            opening_.erase(asked);
        }
    } else if (const auto found = objects_.find(target.getImportedCap());
        found != objects_.end() && call.getInterfaceId() == interface_ && call.getMethodId() < methods_) {
        if (answer(*found->second, call, false))
            return true;
        held_bytes_ += message.size() * sizeof(capnp::word);
        held_.push_back({copy_of(message)});
        if (held_bytes_ > held_bytes_max)
            user_.has_failed("it sends more than may be under way");
        return true;
    }
    if (opens(call) && opening_.size() < opening_max)
        opening_.emplace(call.getQuestionId(), std::nullopt);
    return leave_to_rpc(call.getQuestionId());
}

/// It is Cap'n Proto's, and so is its Finish. False, as it is for somebody else.
bool direct_calls::leave_to_rpc(std::uint32_t question)
{
    if (question >= first_question && left_to_rpc_.insert(question).second &&
        left_to_rpc_.size() > unfinished_max)
        user_.has_failed("it finishes none of its calls");
    return false;
}

/// Has a call taken, and returns it. False where it cannot be taken yet.
bool direct_calls::answer(direct_object& object, protocol::Call::Reader call, bool is_finished)
{
    capnp::word first[64]{};
    capnp::MallocMessageBuilder message(first);
    auto back = message.initRoot<protocol::Message>().initReturn();
    if (!object.take(call.getMethodId(), call.getParams().getContent(), back.initResults().getContent()))
        return false;
    const std::uint32_t question = call.getQuestionId();
    back.setAnswerId(question);
    if (question >= first_question)
        say_no_finish_needed(back);
    else if (!is_finished && unfinished_.insert(question).second && unfinished_.size() > unfinished_max)
        user_.has_failed("it finishes none of its calls");
    stream_.write(message.getSegmentsForOutput());
    return true;
}

void direct_calls::go_on()
{
    // What is taken may let others be taken, not hold more.
    std::vector<held_call> waiting = std::exchange(held_, {});
    held_bytes_ = 0;
    for (held_call& each : waiting) {
        capnp::FlatArrayMessageReader whole(each.message, options_);
        const auto call = whole.getRoot<protocol::Message>().getCall();
        const auto found = objects_.find(call.getTarget().getImportedCap());
        if (found == objects_.end() || answer(*found->second, call, each.is_finished))
            continue;
        held_bytes_ += each.message.size() * sizeof(capnp::word);
        held_.push_back(kj::mv(each));
    }
}

bool direct_calls::take_return(protocol::Return::Reader came)
{
    const std::uint32_t question = came.getAnswerId();
    if (question < first_question) {
        if (const auto asked = asking_.find(question); asked != asking_.end()) {
            asking_.erase(asked);
            opened_.push_back(only_object(came));
        }
        return false;
    }
    const auto found = std::find_if(under_way_.begin(), under_way_.end(),
        [&](const under_way& each) { return each.question == question; });
    if (found == under_way_.end())
        return true;  // nobody asked
    direct_outlet& on = *found->on;
    on.window.acknowledge(found->call, now());
    under_way_.erase(found);
    if (!says_no_finish_needed(came))
        finish(question);
    if (came.isException())
        user_.has_failed(rpc::error(rpc::errc::failed, came.getException().getReason().cStr()).what());
    else
        user_.has_more_room(on);
    return true;
}

void direct_calls::finish(std::uint32_t question)
{
    capnp::word first[16]{};
    capnp::MallocMessageBuilder message(first);
    message.initRoot<protocol::Message>().initFinish().setQuestionId(question);
    stream_.write(message.getSegmentsForOutput());
}

bool direct_calls::take_finish(std::uint32_t question, bool releases)
{
    const bool is_for_rpc = left_to_rpc_.erase(question) != 0;
    if (const auto asked = opening_.find(question); asked != opening_.end()) {
        if (asked->second && releases)
            objects_.erase(*asked->second);
        opening_.erase(asked);
        return false;
    }
    if (question >= first_question)
        return !is_for_rpc;
    if (unfinished_.erase(question) != 0)
        return true;
    for (held_call& each : held_) {
        capnp::FlatArrayMessageReader whole(each.message, options_);
        if (whole.getRoot<protocol::Message>().getCall().getQuestionId() == question)
            return each.is_finished = true;
    }
    return false;
}

}  // namespace costar::machine
