// SPDX-License-Identifier: MIT

#pragma once

#include "link.hpp"

#include <memory>

namespace costar::remote {

/// An actor as programs see it that are no nodes.
///
/// Thread safety: on the strand of its link. Lifetime: it may outlive the link.
class actor_server final : public schema::Actor::Server {
public:
    actor_server(std::shared_ptr<link_place> place, pid who);
    actor_server(const actor_server&) = delete;
    actor_server& operator=(const actor_server&) = delete;
    ~actor_server() noexcept(false) { --place_->actors; }

    DispatchCallResult dispatchCall(std::uint64_t interface, std::uint16_t method,
        capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer> call) override;

private:
    kj::Promise<void> tell(TellContext call) override;
    kj::Promise<void> ask(AskContext call) override;

    const std::shared_ptr<link_place> place_;
    const pid who_;
};

}  // namespace costar::remote
