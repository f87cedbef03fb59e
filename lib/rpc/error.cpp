// SPDX-License-Identifier: MIT

#include <costar/rpc/error.hpp>

#include <costar/ground/control_characters.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <string>

namespace costar::rpc {

namespace {

class category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "costar.rpc"; }

    std::string message(int value) const override
    {
        switch (static_cast<errc>(value)) {
        case errc::failed:
            return "the call failed";
        case errc::overloaded:
            return "the peer is overloaded";
        case errc::disconnected:
            return "the connection is gone";
        case errc::unimplemented:
            return "the peer has no such method";
        }
        return "unknown error";
    }

    boost::system::error_condition default_error_condition(int value) const noexcept override
    {
        using boost::system::errc::make_error_condition;
        switch (static_cast<errc>(value)) {
        case errc::overloaded:
            return make_error_condition(boost::system::errc::resource_unavailable_try_again);
        case errc::disconnected:
            return make_error_condition(boost::system::errc::not_connected);
        case errc::unimplemented:
            return make_error_condition(boost::system::errc::function_not_supported);
        default:
            return {value, *this};
        }
    }
};

errc kind_of(kj::Exception::Type type) noexcept
{
    switch (type) {
    case kj::Exception::Type::OVERLOADED:
        return errc::overloaded;
    case kj::Exception::Type::DISCONNECTED:
        return errc::disconnected;
    case kj::Exception::Type::UNIMPLEMENTED:
        return errc::unimplemented;
    default:
        return errc::failed;
    }
}

kj::Exception::Type type_of(errc kind) noexcept
{
    switch (kind) {
    case errc::overloaded:
        return kj::Exception::Type::OVERLOADED;
    case errc::disconnected:
        return kj::Exception::Type::DISCONNECTED;
    case errc::unimplemented:
        return kj::Exception::Type::UNIMPLEMENTED;
    default:
        return kj::Exception::Type::FAILED;
    }
}

/// What a peer wrote, as a line of bounded length; in the middle of a character of UTF-8 it is not cut.
std::string bounded_line(std::string_view text)
{
    std::size_t length = std::min(text.size(), error::text_max);
    while (length < text.size() && length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80)
        --length;
    return machine::one_line(std::string(text.substr(0, length)));
}

kj::Exception::Type type_of(const error_code& code) noexcept
{
    using type = kj::Exception::Type;
    if (code.category() == error_category())
        return type_of(static_cast<errc>(code.value()));
    if (code.category() == costar::error_category()) {
        switch (static_cast<costar::errc>(code.value())) {
        case costar::errc::mailbox_full:
        case costar::errc::offload_full:
        case costar::errc::timed_out:
            return type::OVERLOADED;
        case costar::errc::cancelled:
        case costar::errc::actor_stopped:
        case costar::errc::engine_stopped:
            return type::DISCONNECTED;
        case costar::errc::not_understood:
            return type::UNIMPLEMENTED;
        default:
            return type::FAILED;
        }
    }
    namespace failures = boost::asio::error;
    for (const error_code each : {error_code(failures::eof), error_code(failures::connection_reset),
             error_code(failures::connection_aborted), error_code(failures::connection_refused),
             error_code(failures::broken_pipe), error_code(failures::not_connected),
             error_code(failures::operation_aborted), error_code(failures::timed_out),
             error_code(failures::host_unreachable), error_code(failures::network_unreachable)})
        if (code == each)
            return type::DISCONNECTED;
    if (code == failures::no_memory || code == failures::no_descriptors || code == failures::no_buffer_space)
        return type::OVERLOADED;
    return type::FAILED;
}

kj::Exception made(kj::Exception::Type type, std::string_view text)
{
    return kj::Exception(type, "", 0, kj::str(kj::arrayPtr(text.data(), text.size())));
}

/// Without the addresses of its stack.
std::string line_of(const kj::Exception& thrown)
{
    return bounded_line(kj::str(
        thrown.getFile(), ":", thrown.getLine(), ": ", thrown.getType(), ": ", thrown.getDescription())
            .cStr());
}

/// A copy of what KJ has thrown, with the same faces.
class carried_exception final : public kj::Exception, public std::exception {
public:
    explicit carried_exception(const kj::Exception& thrown)
        : kj::Exception(thrown), text_(std::make_shared<const std::string>(line_of(thrown)))
    {}
    const char* what() const noexcept override { return text_->c_str(); }

private:
    std::shared_ptr<const std::string> text_;
};

/// What KJ throws by itself notes its thread, and ends the program when it is destroyed on another one. A
/// copy does not.
std::exception_ptr carried(std::exception_ptr caught) noexcept
{
    try {
        std::rethrow_exception(caught);
    } catch (const kj::Exception& thrown) {
        return std::make_exception_ptr(carried_exception(thrown));
    } catch (...) {
        return caught;
    }
}

[[maybe_unused]] const bool is_set = (machine::carry_exceptions_by(carried), true);

}  // namespace

const boost::system::error_category& error_category() noexcept
{
    static const category instance;
    return instance;
}

error::error(errc kind, std::string_view text) : costar::error(make_error_code(kind), bounded_line(text)) {}

error::error(const kj::Exception& thrown)
    : error(kind_of(thrown.getType()),
          std::string_view(thrown.getDescription().begin(), thrown.getDescription().size()))
{}

std::exception_ptr to_exception(const kj::Exception& thrown) noexcept
{
    try {
        return std::make_exception_ptr(error(thrown));
    } catch (...) {
        return std::current_exception();
    }
}

kj::Exception to_kj(const std::exception_ptr& failure) noexcept
{
    try {
        std::rethrow_exception(failure);
    } catch (const kj::Exception& thrown) {
        return made(thrown.getType(), {thrown.getDescription().begin(), thrown.getDescription().size()});
    } catch (const costar::error& thrown) {
        return made(type_of(thrown.code()), thrown.what());
    } catch (const boost::system::system_error& thrown) {
        return made(type_of(thrown.code()), thrown.code().message());  // `what()` names a file of Boost
    } catch (const std::bad_alloc&) {
        return made(kj::Exception::Type::OVERLOADED, "out of memory");
    } catch (const std::exception& thrown) {
        return made(kj::Exception::Type::FAILED, thrown.what());
    } catch (...) {
        return made(kj::Exception::Type::FAILED, "something that is no std::exception was thrown");
    }
}

}  // namespace costar::rpc
