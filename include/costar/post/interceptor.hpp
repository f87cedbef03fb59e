// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

namespace costar::machine {

class cell;

}  // namespace costar::machine

namespace costar {

class message;

}  // namespace costar

namespace costar::machine {

class station;
struct envelope;

/// Gets between all actors of an engine and their messages; for tests that inject faults.
///
/// Set in `commons::interceptor` before the first actor is born; from then on all messages take the long way.
class message_interceptor {
public:
    /// A message is about to be put into a mailbox. True takes it away, and it is the interceptor's then.
    virtual bool take(station& where, cell& to, envelope* sent) = 0;

    /// An actor takes a message out; what this throws is a crash of the actor.
    virtual void hand(station& where, cell& self, message& taken) = 0;

protected:
    ~message_interceptor() = default;
};

}  // namespace costar::machine
