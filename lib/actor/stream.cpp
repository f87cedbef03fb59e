// SPDX-License-Identifier: MIT

#include <costar/actor/stream.hpp>

#include <costar/actor/engine.hpp>

namespace costar::machine {

void stop_producer(engine& where, pid producer) noexcept
{
    // Posted even on its own strand: a stream may be dropped in the middle of anything.
    station& post = where.station_at(producer.strand());
    post.home().post([&post, producer] { post.stop(producer, 0); });
}

}  // namespace costar::machine
