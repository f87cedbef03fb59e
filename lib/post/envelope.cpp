// SPDX-License-Identifier: MIT

#include <costar/post/envelope.hpp>

namespace costar::machine {

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

}  // namespace costar::machine
