// SPDX-License-Identifier: MIT

#include <costar/post/parcel.hpp>

namespace costar::machine {

parcel pack(std::uint64_t to, envelope* sent) noexcept
{
    parcel packed;
    packed.to = to;
    if (sent->type->is_inline) {
        packed.kind = sent->type;
        auto* body = ::new (packed.body) inline_body{sent->sender, sent->reply, sent->deadline, {}};
        std::memcpy(body->value, sent->body(), sent->type->bytes);
        sent->discard();
    } else {
        packed.kind =
            reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(sent->type) | boxed_parcel);
        std::memcpy(packed.body, &sent, sizeof sent);
    }
    return packed;
}

}  // namespace costar::machine
