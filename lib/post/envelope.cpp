// SPDX-License-Identifier: MIT

#include <costar/post/envelope.hpp>

#include <boost/core/demangle.hpp>

#include <cstring>
#include <unordered_map>

namespace costar {

namespace {

/// A new envelope with what `construct` makes in it.
template <class Construct>
held_envelope fill(const message_type& type, Construct construct)
{
    envelope* made = envelope::allocate(type.bytes);
    try {
        construct(made->body());
    } catch (...) {
        arena::deallocate(made, sizeof(envelope) + type.bytes);
        throw;
    }
    made->type = &type;
    made->sender = {};
    made->reply = 0;
    made->deadline = 0;
    return held_envelope(made);
}

}  // namespace

std::string demangled(const std::type_info& info)
{
    return boost::core::demangle(info.name());
}

const std::string& message_type::name() const
{
    static const std::string unknown = "?";
    if (info == nullptr)
        return unknown;
    // Making it readable takes half a microsecond, and middleware may ask for every message.
    thread_local std::unordered_map<const std::type_info*, std::string> known;
    const auto found = known.find(info);
    return found != known.end() ? found->second : known.emplace(info, demangled(*info)).first->second;
}

held_envelope copy_of(envelope& original)
{
    const message_type& type = *original.type;
    if (type.copy == nullptr)
        return nullptr;
    held_envelope made = fill(type, [&](void* to) { type.copy(to, original.body()); });
    made->sender = original.sender;
    return made;
}

held_envelope move_into_envelope(const message_type& type, void* value)
{
    return fill(type, [&](void* to) { type.move(to, value); });
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
        packed.kind =
            reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(sent->type) | boxed_parcel);
        std::memcpy(packed.body, &sent, sizeof sent);
    }
    return packed;
}

}  // namespace costar
