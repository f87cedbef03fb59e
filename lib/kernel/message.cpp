// SPDX-License-Identifier: MIT

#include <costar/kernel/message.hpp>

#include <costar/core/error.hpp>

#include <fmt/format.h>

#include <stdexcept>

namespace costar {

using namespace machine;

std::string message::type_name() const
{
    return there().type->name();
}

const headers& message::headers() const
{
    return station::headers_of(there());
}

void message::refuse_nothing() const
{
    if (timed_out())
        throw error(errc::timed_out, "no message came in time");
    if (envelope_ == marked(end_value))
        throw error(errc::cancelled, "there is no message, it is time to stop");
    throw std::logic_error("there is no message: none was received, or it was handed on");
}

bool message::look_at_nothing() const
{
    if (timed_out())
        return false;
    refuse_nothing();
}

void message::refuse(const message_type& wanted) const
{
    if (!*this)
        refuse_nothing();
    throw std::logic_error(
        fmt::format("a message of type {} was taken for one of type {}", type_name(), wanted.name()));
}

}  // namespace costar
