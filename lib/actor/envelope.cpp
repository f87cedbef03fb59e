// SPDX-License-Identifier: MIT

#include <costar/actor/envelope.hpp>

#include <boost/core/demangle.hpp>

#include <cstring>

namespace costar {

namespace {

constexpr std::uintptr_t boxed = 1;

}  // namespace

std::string demangled(const std::type_info& info)
{
    return boost::core::demangle(info.name());
}

std::string message_type::name() const
{
    return info != nullptr ? demangled(*info) : std::string("?");
}

envelope* copy_of(envelope& original)
{
    const message_type& type = *original.type;
    envelope* made = nullptr;
    if (type.is_trivial) {
        made = envelope::allocate(type.bytes);
        made->type = &type;
        std::memcpy(made->body(), original.body(), type.bytes);
    } else if (const message_copier copy = type.copier->load(std::memory_order_relaxed)) {
        made = copy(original.body());
    } else {
        return nullptr;
    }
    made->sender = original.sender;
    made->reply = 0;
    made->deadline = 0;
    return made;
}

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
        packed.kind = reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(sent->type) | boxed);
        std::memcpy(packed.body, &sent, sizeof sent);
    }
    return packed;
}

envelope* unpack(const parcel& arrived)
{
    if ((reinterpret_cast<std::uintptr_t>(arrived.kind) & boxed) != 0) {
        envelope* sent = nullptr;
        std::memcpy(&sent, arrived.body, sizeof sent);
        return sent;
    }
    const auto* type = static_cast<const message_type*>(arrived.kind);
    const auto* body = std::launder(reinterpret_cast<const inline_body*>(arrived.body));
    static_assert(sizeof(envelope) % 16 == 0 && sizeof body->value == 16,
        "every small message has a block of one size");
    envelope* made = envelope::allocate(sizeof body->value);
    made->type = type;
    made->sender = body->sender;
    made->reply = body->reply;
    made->deadline = body->deadline;
    std::memcpy(made->body(), body->value, sizeof body->value);
    return made;
}

}  // namespace costar
