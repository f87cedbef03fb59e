// SPDX-License-Identifier: MIT

#pragma once

#include "link.hpp"

#include <memory>
#include <utility>

namespace costar::remote {

/// What a peer sees of this node: its calls find the link as long as it is there.
class node_server final : public schema::Node::Server {
public:
    explicit node_server(std::shared_ptr<link_place> place) : place_(std::move(place)) {}

private:
    kj::Promise<void> hello(HelloContext call) override;
    kj::Promise<void> open(OpenContext call) override;
    kj::Promise<void> find(FindContext call) override;
    kj::Promise<void> ping(PingContext call) override;
    kj::Promise<void> spawn(SpawnContext call) override;
    kj::Promise<void> actor(ActorContext call) override;
    kj::Promise<void> service(ServiceContext call) override;

    /// Errors: throws where the link has ended.
    link& present() const;

    /// Errors: throws where the peer has not greeted yet.
    link& greeted() const;

    /// Errors: throws where the peer is a node that has not greeted yet.
    link& served() const;

    std::shared_ptr<link_place> place_;
};

}  // namespace costar::remote
