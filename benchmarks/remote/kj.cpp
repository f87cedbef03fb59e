// SPDX-License-Identifier: MIT

// R2, R3 and R3b with Cap'n Proto RPC on its own event loop: the envelopes and batches of costar's schema,
// and so the same flow control and the same bytes, without actors, lookups, deadlines and lost links.

#include "harness.hpp"
#include "second_process.hpp"

#include <capnp/message.h>
#include <capnp/rpc-twoparty.h>
#include <capnp/serialize.h>
#include <kj/async-io.h>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <costar/node.capnp.h>

#include "traffic.capnp.h"

namespace {

namespace schema = costar::schema;
using bench::order;
using bench::outcome;
using bench::second_process;
using clock_type = std::chrono::steady_clock;

constexpr std::uint64_t question_type = 0xa120527c8e402f83;

/// What costar takes at most.
constexpr std::size_t envelopes_of_a_batch = 256;

/// A message that waits until it may be sent: a request, an answer, or neither.
struct letter {
    std::uint64_t request = 0;
    std::uint64_t answers = 0;
    std::uint64_t number = 0;
};

/// The number of a message as it stands in a file.
std::uint64_t number_in(capnp::Data::Reader body)
{
    capnp::FlatArrayMessageReader message(
        kj::arrayPtr(reinterpret_cast<const capnp::word*>(body.begin()), body.size() / sizeof(capnp::word)));
    return message.getRoot<traffic::Ball>().getNumber();
}

/// Writes such a message where it is sent from.
void write(std::uint64_t number, schema::Envelope::Builder to)
{
    constexpr std::uint32_t words = 2;  // the pointer to the root, and the number
    auto* const body = reinterpret_cast<capnp::word*>(to.initBody((words + 1) * sizeof(capnp::word)).begin());
    const std::uint32_t table[2] = {0, words};  // one segment
    std::memcpy(body, table, sizeof table);
    capnp::FlatMessageBuilder message(kj::arrayPtr(body + 1, words));
    message.initRoot<traffic::Ball>().setNumber(number);
}

/// One side: sends in batches as long as there is room, and takes what comes.
class post final : public schema::Sink::Server {
public:
    /// Takes an envelope and its number.
    std::function<void(schema::Envelope::Reader, std::uint64_t)> take;

    /// How many go in a batch.
    std::size_t of_a_batch = envelopes_of_a_batch;

    /// Asked when more could be sent.
    std::function<void()> fill = [] {};

    void send(const letter& next) { letters_.push_back(next); }
    std::size_t waiting() const noexcept { return letters_.size(); }
    void connect(schema::Sink::Client peer) { peer_.emplace(kj::mv(peer)); }

    /// Sends the next batch, unless one waits for room.
    void carry()
    {
        if (is_carrying_)
            return;
        fill();
        if (letters_.empty())
            return;
        is_carrying_ = true;
        sending_ = send_batch()
                       .then(
                           [this] {
                               is_carrying_ = false;
                               carry_later();
                           },
                           [](kj::Exception&&) {})
                       .eagerlyEvaluate(nullptr);  // the first process has closed the connection
    }

protected:
    kj::Promise<void> deliver(DeliverContext context) override
    {
        for (const auto each : context.getParams().getBatch().getEnvelopes())
            take(each, number_in(each.getBody()));
        carry();
        return kj::READY_NOW;
    }

private:
    /// Not inside of the promise that has led here, which is replaced.
    void carry_later()
    {
        again_ = kj::evalLater([this] { carry(); }).eagerlyEvaluate(nullptr);
    }

    kj::Promise<void> send_batch()
    {
        const auto count = static_cast<unsigned>(std::min(letters_.size(), of_a_batch));
        auto request = peer_->deliverRequest();
        auto batch = request.initBatch();
        auto envelopes = batch.initEnvelopes(count);
        for (unsigned i = 0; i < count; ++i) {
            const letter& from = letters_[i];
            auto to = envelopes[i];
            to.setTarget(1);
            to.setSender(2);
            to.setType(question_type);
            to.setRequest(from.request);
            to.setAnswers(from.answers);
            write(from.number, to);
        }
        auto pids = batch.initPids(2);
        for (unsigned i = 0; i < 2; ++i) {
            pids[i].setLife(i + 1);
            pids[i].setSlot(i + 1);
            pids[i].setGeneration(1);
        }
        letters_.erase(letters_.begin(), letters_.begin() + count);
        return request.send();
    }

    std::optional<schema::Sink::Client> peer_;
    std::deque<letter> letters_;
    bool is_carrying_ = false;
    kj::Promise<void> sending_ = nullptr;
    kj::Promise<void> again_ = nullptr;
};

void serve(const second_process::door& door, std::size_t of_a_batch)
{
    auto io = kj::setupAsyncIo();
    auto listener = io.provider->getNetwork().parseAddress("127.0.0.1:0").wait(io.waitScope)->listen();
    door.open(fmt::format("127.0.0.1:{}", listener->getPort()));
    auto stream = listener->accept().wait(io.waitScope);
    auto own = kj::heap<post>();
    post& here = *own;
    here.of_a_batch = of_a_batch;
    here.take = [&](schema::Envelope::Reader from, std::uint64_t number) {
        here.send({.answers = from.getRequest(), .number = number + 1});
    };
    capnp::TwoPartyClient rpc(*stream, kj::mv(own), capnp::rpc::twoparty::Side::SERVER);
    here.connect(rpc.bootstrap().castAs<schema::Sink>());
    rpc.onDisconnect().wait(io.waitScope);
    door.wait();
}

/// The side of the first process.
class connection {
public:
    explicit connection(std::size_t of_a_batch = envelopes_of_a_batch)
        : second_([=](const auto& door) { serve(door, of_a_batch); })
    {
        auto own = kj::heap<post>();
        here_ = own.get();
        here_->of_a_batch = of_a_batch;
        rpc_.emplace(*stream_, kj::mv(own), capnp::rpc::twoparty::Side::CLIENT);
        here_->connect(rpc_->bootstrap().castAs<schema::Sink>());
    }

    post& here() noexcept { return *here_; }

    /// Begins, and lets the loop run until `finish` is called.
    void run()
    {
        auto whole = kj::newPromiseAndFulfiller<void>();
        over_ = kj::mv(whole.fulfiller);
        here_->carry();
        whole.promise.wait(io_.waitScope);
    }
    void finish() { over_->fulfill(); }

    outcome end(outcome made, std::uint64_t sent, std::uint64_t received)
    {
        stream_->shutdownWrite();
        made.sent = sent;
        made.received = received;
        made.beside = second_.end();
        return made;
    }

private:
    second_process second_;
    kj::AsyncIoContext io_ = kj::setupAsyncIo();
    kj::Own<kj::AsyncIoStream> stream_ = io_.provider->getNetwork()
                                             .parseAddress(second_.address().c_str())
                                             .wait(io_.waitScope)
                                             ->connect()
                                             .wait(io_.waitScope);
    std::optional<capnp::TwoPartyClient> rpc_;
    post* here_ = nullptr;
    kj::Own<kj::PromiseFulfiller<void>> over_;
};

outcome pings(std::uint64_t each_way, std::size_t of_a_batch)
{
    constexpr std::uint64_t under_way_max = 50'000;
    connection link(of_a_batch);
    post& here = link.here();
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    here.fill = [&] {
        while (here.waiting() < envelopes_of_a_batch && sent < each_way && sent - received < under_way_max)
            here.send({.number = sent++});
    };
    here.take = [&](schema::Envelope::Reader, std::uint64_t) {
        if (++received == each_way)
            link.finish();
    };
    const bench::stopwatch watch;
    link.run();
    return link.end(bench::rate("messages", "msg/s", 2 * each_way, watch), each_way, received);
}

outcome asks(const order& order)
{
    const std::uint64_t count = order.count(20'000);
    bench::latencies took(count);
    connection link;
    post& here = link.here();
    std::uint64_t answered = 0;
    auto begin = clock_type::now();
    here.take = [&](schema::Envelope::Reader from, std::uint64_t number) {
        took.add(clock_type::now() - begin);
        answered += from.getAnswers() == number ? 1 : 0;
        if (number == count)
            return link.finish();
        begin = clock_type::now();
        here.send({.request = number + 1, .number = number});
    };
    const bench::stopwatch watch;
    here.send({.request = 1});
    link.run();
    outcome made;
    made.allocations = watch.allocations();
    made.figures = took.figures();
    return link.end(std::move(made), count, answered);
}

outcome many_asks(const order& order)
{
    constexpr std::uint64_t outstanding = 64;
    const std::uint64_t count = order.count(1'000'000);
    connection link;
    post& here = link.here();
    std::uint64_t sent = 0;
    std::uint64_t answered = 0;
    const auto ask = [&] {
        here.send({.request = sent + 1, .number = sent});
        ++sent;
    };
    here.take = [&](schema::Envelope::Reader from, std::uint64_t number) {
        answered += from.getAnswers() == number ? 1 : 0;
        if (sent < count)
            ask();
        else if (number == count)
            link.finish();
    };
    const bench::stopwatch watch;
    for (std::uint64_t i = 0; i < outstanding; ++i)
        ask();
    link.run();
    return link.end(bench::rate("asks", "asks/s", count, watch), count, answered);
}

}  // namespace

int main(int argc, char** argv)
{
    const std::vector<std::size_t> one{1};
    return bench::main(argc, argv,
        {
            {"R2", "kj", one, 50'000, 8,
                [](const order& o) { return pings(o.count(1'000'000), envelopes_of_a_batch); }},
            {"R2unbatched", "kj", one, 50'000, 8, [](const order& o) { return pings(o.count(200'000), 1); }},
            {"R3", "kj", one, 1, 8, asks},
            {"R3b", "kj", one, 64, 8, many_asks},
        });
}
