// SPDX-License-Identifier: MIT

#include <costar/actor/message.hpp>

namespace costar {

std::string message::type_name() const
{
    return envelope_->type->name();
}

const headers& message::headers() const noexcept
{
    return station::headers_of(*envelope_);
}

}  // namespace costar
