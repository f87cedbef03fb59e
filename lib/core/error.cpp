// SPDX-License-Identifier: MIT

#include <costar/core/error.hpp>

#include <boost/asio/experimental/channel_error.hpp>
#include <boost/system/errc.hpp>

#include <atomic>
#include <exception>
#include <string_view>
#include <system_error>

namespace costar {

namespace {

class category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "costar"; }

    std::string message(int code) const override { return text_of(code); }

    const char* message(int code, char* buffer, std::size_t bytes) const noexcept override
    {
        if (bytes != 0) {
            buffer[std::string_view(text_of(code)).copy(buffer, bytes - 1)] = '\0';
        }
        return buffer;
    }

    boost::system::error_condition default_error_condition(int code) const noexcept override
    {
        switch (static_cast<errc>(code)) {
        case errc::cancelled:
            return boost::system::errc::make_error_condition(boost::system::errc::operation_canceled);
        case errc::timed_out:
            return boost::system::errc::make_error_condition(boost::system::errc::timed_out);
        default:
            return {code, *this};
        }
    }

private:
    static const char* text_of(int code) noexcept
    {
        switch (static_cast<errc>(code)) {
        case errc::cancelled:
            return "cancelled";
        case errc::timed_out:
            return "the deadline passed";
        case errc::no_such_actor:
            return "no such actor";
        case errc::name_in_use:
            return "another actor has this name";
        case errc::not_understood:
            return "the actor handles no message of this type";
        case errc::unanswered:
            return "the actor let go of the request without an answer";
        case errc::actor_failed:
            return "the actor failed while it held the request";
        case errc::actor_stopped:
            return "the actor ended before it handled the request";
        case errc::wrong_reply:
            return "the answer is of another type than asked for";
        case errc::mailbox_full:
            return "the mailbox is full";
        case errc::engine_stopped:
            return "the engine has stopped";
        case errc::request_circle:
            return "the actors would wait for each other";
        case errc::not_local:
            return "the message cannot leave its engine";
        case errc::offload_full:
            return "the helper threads have enough to do";
        case errc::no_wire_form:
            return "messages of this type stay on their node";
        case errc::malformed:
            return "the message is malformed";
        case errc::too_large:
            return "the message is too large";
        case errc::unreachable:
            return "the node is not reachable";
        case errc::link_lost:
            return "the link to the node was lost";
        case errc::not_permitted:
            return "the other node does not permit it";
        case errc::unknown_kind:
            return "the other node has no actors of this kind";
        case errc::too_many_actors:
            return "as many actors as are permitted live on the other node";
        }
        return "unknown error";
    }
};

}  // namespace

const boost::system::error_category& error_category() noexcept
{
    static const category instance;
    return instance;
}

bool is_cancellation(const std::exception_ptr& failure) noexcept
{
    if (!failure)
        return false;
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& thrown) {
        return is_cancellation(thrown.code());
    } catch (...) {
        return false;
    }
}

bool is_cancellation(const error_code& code) noexcept
{
    return code == std::errc::operation_canceled ||
        code == boost::asio::experimental::error::channel_cancelled;
}

}  // namespace costar

namespace costar::machine {

namespace {

std::atomic<exception_carrier> carries{nullptr};

}  // namespace

std::exception_ptr caught_exception() noexcept
{
    const exception_carrier carrier = carries.load(std::memory_order_relaxed);
    return carrier == nullptr ? std::current_exception() : carrier(std::current_exception());
}

void carry_exceptions_by(exception_carrier carrier) noexcept
{
    carries.store(carrier, std::memory_order_relaxed);
}

}  // namespace costar::machine
