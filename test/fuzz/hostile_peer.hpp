// SPDX-License-Identifier: MIT

#pragma once

#include <costar/post/pid.hpp>
#include <costar/rpc/message_framer.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <capnp/message.h>
#include <capnp/rpc.capnp.h>

#include <costar/node.capnp.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "script.hpp"

namespace support {

/// What a peer finds.
struct surroundings {
    boost::asio::ip::tcp::endpoint where;

    /// Actors of the node, with names and without.
    std::vector<costar::pid> actors;

    /// Whom it is not to find by guessing, since it could stop them.
    costar::pid spared;

    /// Runs what is ready, and says how much that was.
    std::function<std::size_t()> run;
};

/// A peer that does what a script says: greets, sends batches, answers what it is asked, or lies in all of
/// it. It writes the messages of Cap'n Proto's protocol itself, so that none of them is too wrong.
///
/// Thread safety: the thread that runs the node. Lifetime: as script and surroundings.
class hostile_peer {
public:
    hostile_peer(const surroundings& node, script& input);
    hostile_peer(const hostile_peer&) = delete;
    hostile_peer& operator=(const hostile_peer&) = delete;
    ~hostile_peer();

    /// Acts until the script is over, or the node has closed the connection.
    void play();

private:
    using outgoing = capnp::rpc::Message::Builder;

    template <class Fill>
    void say(Fill fill);

    // What it says of itself. Each reads from the script how true it is.
    void act();
    void bootstrap();
    void hello();
    void open();
    void batch();
    void part();
    void find();
    void ping();
    void done();
    void any_call();
    void finish();
    void lie_of_answers();
    void lie_of_objects();
    void give_up();
    void cut();

    // What is in it.
    capnp::rpc::Call::Builder call(outgoing message, std::uint64_t interface, std::uint16_t method);
    void aim_at_node(capnp::rpc::MessageTarget::Builder target);
    void aim_at_sink(capnp::rpc::MessageTarget::Builder target);
    void greet(costar::schema::Greeting::Builder me);
    void write_pid(costar::schema::Pid::Builder to);
    void fill(costar::schema::Batch::Builder batch);
    void fill(costar::schema::Envelope::Builder to);
    void fill(costar::schema::Signal::Builder to);
    std::uint64_t fill_body(capnp::MessageBuilder& body);
    std::string text();

    // What the node says.
    void hear(capnp::rpc::Message::Reader message);
    void hear(capnp::rpc::Call::Reader asked);
    void answer(capnp::rpc::Call::Reader asked, capnp::rpc::Return::Builder answer);
    void lie(std::uint8_t how, capnp::rpc::Return::Builder answer);
    bool listen();
    void write(std::size_t bytes);
    void flush();
    void settle();

    const surroundings& node_;
    script& input_;
    boost::asio::io_context outside_;
    boost::asio::ip::tcp::socket socket_;
    costar::machine::message_framer framer_;
    std::string out_;
    bool is_over_ = false;
    const std::uint8_t manners_;
    std::size_t piece_ = 0;
    std::uint32_t last_question_ = 0;
    std::uint32_t hello_question_ = 0;
    std::uint32_t open_question_ = 0;
    std::uint64_t life_of_node_ = 0;
    std::vector<std::uint64_t> asked_;  // requests of the node that wait for an answer
};

}  // namespace support
