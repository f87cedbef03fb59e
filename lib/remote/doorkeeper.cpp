// SPDX-License-Identifier: MIT

#include "doorkeeper.hpp"

#include "link.hpp"
#include "servers.hpp"

#include <utility>

namespace costar::remote {

namespace {

class doorkeeper final : public capnp::Capability::Server {
public:
    doorkeeper(std::shared_ptr<link_place> place, std::weak_ptr<visitors::place> visit)
        : place_(std::move(place)), visit_(std::move(visit)), node_(kj::heap<node_server>(place_))
    {}

    DispatchCallResult dispatchCall(std::uint64_t interface, std::uint16_t method,
        capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer> call) override
    {
        if (is_known_)
            return node_->dispatchCall(interface, method, call);
        if (interface == capnp::typeId<schema::Directory>() && !has_heard())
            let_client_in();
        auto dispatched = node_->dispatchCall(interface, method, call);
        if (has_heard())
            let_node_in();
        return dispatched;
    }

private:
    bool has_heard() const { return place_->there != nullptr && place_->there->has_heard(); }

    void let_client_in()
    {
        const auto visit = visit_.lock();
        if (visit != nullptr && !visit->becomes_client())
            kj::throwFatalException(kj::Exception(
                kj::Exception::Type::OVERLOADED, "", 0, kj::str("there are too many connections")));
        is_known_ = true;
    }

    /// One that is to leave finds out by the end of its link.
    void let_node_in()
    {
        if (const auto visit = visit_.lock())
            static_cast<void>(visit->becomes_node());
        is_known_ = true;
    }

    const std::shared_ptr<link_place> place_;
    const std::weak_ptr<visitors::place> visit_;
    kj::Own<node_server> node_;
    bool is_known_ = false;
};

}  // namespace

kj::Own<capnp::Capability::Server> serve_visitor(
    std::shared_ptr<link_place> place, std::weak_ptr<visitors::place> visit)
{
    return kj::heap<doorkeeper>(std::move(place), std::move(visit));
}

}  // namespace costar::remote
