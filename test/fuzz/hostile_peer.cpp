// SPDX-License-Identifier: MIT

#include "hostile_peer.hpp"

#include <costar/wire/codec.hpp>

#include <boost/asio/buffer.hpp>

#include <capnp/any.h>
#include <capnp/capability.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <iterator>

#include "../remote/places.hpp"

namespace support {

using namespace costar;
using boost::asio::ip::tcp;
namespace vat = capnp::rpc;

namespace {

// How it behaves, as bits of the first byte.
constexpr std::uint8_t greets_first = 1;        // as any node does
constexpr std::uint8_t lies_in_answers = 2;     // where it is asked
constexpr std::uint8_t says_nothing = 4;        // where it is asked
constexpr std::uint8_t writes_in_pieces = 8;    // of the size that the second byte says
constexpr std::uint8_t runs_between = 16;       // lets the node run between them
constexpr std::uint8_t leaves_in_between = 32;  // does not wait for answers at the end
constexpr std::uint8_t says_that_it_leaves = 64;
constexpr std::uint8_t calls_directly =
    128;  // as nodes do: by the number of an object, with large numbers of calls

constexpr std::size_t turns_max = 200;  // in which a node comes to rest
constexpr std::size_t pieces_max = 32;  // of what is said at a time; the rest follows as it is

/// The contents of what holds one object, which this peer hosts under that number.
template <class Fill>
void give_object(vat::Payload::Builder to, std::uint32_t number, Fill fill)
{
    capnp::BuilderCapabilityTable table;
    fill(table.imbue(to.getContent()), capnp::newBrokenCap("it lies elsewhere"));
    to.initCapTable(1)[0].setSenderHosted(number);
}

}  // namespace

hostile_peer::hostile_peer(const surroundings& node, script& input)
    : node_(node), input_(input), socket_(outside_), framer_(8192), manners_(input.byte())
{
    if ((manners_ & writes_in_pieces) != 0)
        piece_ = 1 + input_.byte();
    socket_.open(tcp::v4());
    socket_.non_blocking(true);  // a connect that blocks would end with the signal of the fuzzer's clock
    socket_.connect(node.where);
    socket_.set_option(tcp::no_delay(true));
    socket_.set_option(boost::asio::socket_base::linger(true, 0));  // so that its port is free again
}

hostile_peer::~hostile_peer()
{
    boost::system::error_code gone;
    if ((manners_ & says_that_it_leaves) != 0) {
        socket_.shutdown(tcp::socket::shutdown_send, gone);
        settle();
    }
    socket_.close(gone);
}

void hostile_peer::play()
{
    if ((manners_ & greets_first) != 0) {
        bootstrap();
        hello_question_ = ++last_question_;
        say([&](outgoing message) {
            auto asked = call(message, capnp::typeId<schema::Node>(), 0);
            asked.setQuestionId(hello_question_);
            auto me = asked.initParams().getContent().initAs<schema::Node::HelloParams>().initGreeting();
            me.setNewest(1);
            me.setOldest(1);
            me.setName("liar");
            me.setLife(1 + input_.byte() % 4);
            me.setMessageMax(100'000);
        });
        open();
        flush();
        settle();
    }
    for (int i = 0; i < 100 && !input_.is_over() && !is_over_; ++i)
        act();
    flush();
    if ((manners_ & leaves_in_between) == 0)
        settle();
}

void hostile_peer::act()
{
    switch (input_.byte() % 20) {
    case 0:
        out_ += input_.text(input_.byte());
        break;
    case 1:
        hello();
        break;
    case 2:
        open();
        break;
    case 3:
    case 4:
    case 5:
        batch();
        break;
    case 6:
        part();
        break;
    case 7:
        find();
        break;
    case 8:
        ping();
        break;
    case 9:
        done();
        break;
    case 10:
        finish();
        break;
    case 11:
        lie_of_answers();
        break;
    case 12:
        lie_of_objects();
        break;
    case 13:
        give_up();
        break;
    case 14:
        cut();
        break;
    case 15:
        bootstrap();
        break;
    case 16:
        any_call();
        break;
    default:
        flush();
        settle();
    }
}

template <class Fill>
void hostile_peer::say(Fill fill)
{
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<vat::Message>());
    const auto words = capnp::messageToFlatArray(message);
    out_.append(reinterpret_cast<const char*>(words.begin()), words.size() * sizeof(capnp::word));
}

// What it says of itself
// ----------------------------------------------------------------------------------------------------------

void hostile_peer::bootstrap()
{
    // Question 0, always: the second one is in use.
    say([](outgoing message) { message.initBootstrap().setQuestionId(0); });
}

void hostile_peer::hello()
{
    hello_question_ = ++last_question_;
    say([&](outgoing message) {
        auto asked = call(message, capnp::typeId<schema::Node>(), 0);
        asked.setQuestionId(hello_question_);
        greet(asked.initParams().getContent().initAs<schema::Node::HelloParams>().initGreeting());
    });
}

void hostile_peer::open()
{
    open_question_ = ++last_question_;
    say([&](outgoing message) {
        auto asked = call(message, capnp::typeId<schema::Node>(), 1);
        asked.setQuestionId(open_question_);
        asked.initParams().getContent().initAs<schema::Node::OpenParams>();
    });
}

void hostile_peer::find()
{
    say([&](outgoing message) {
        auto asked = call(message, capnp::typeId<schema::Node>(), 2);
        asked.initParams().getContent().initAs<schema::Node::FindParams>().setName(wire::text(text()));
    });
}

void hostile_peer::ping()
{
    say([&](outgoing message) {
        call(message, capnp::typeId<schema::Node>(), 3)
            .initParams()
            .getContent()
            .initAs<schema::Node::PingParams>();
    });
}

/// Of a message in parts, which may have begun or not.
void hostile_peer::part()
{
    say([&](outgoing message) {
        auto asked = call(message, capnp::typeId<schema::Sink>(), 2);
        aim_at_sink(asked.initTarget());
        auto some = asked.initParams().getContent().initAs<schema::Sink::PieceParams>().initPart();
        capnp::MallocMessageBuilder body;
        const std::uint8_t lies = input_.byte();
        const std::uint64_t type = fill_body(body);
        flat_bytes whole(body);
        if ((lies & 1) == 0) {
            fill(some.initEnvelope());
            some.getEnvelope().setBody(nullptr);
            some.getEnvelope().setType(type);
            write_pid(some.initTarget());
            write_pid(some.initSender());
            some.setSize((lies & 2) != 0 ? static_cast<std::uint32_t>(input_.number())
                                         : static_cast<std::uint32_t>(whole.data().size()));
        }
        const std::size_t size = (lies & 4) != 0 ? input_.number() % 70'000 : whole.data().size();
        const std::size_t begin = (lies & 8) != 0 ? input_.byte() % (whole.data().size() + 1) : 0;
        some.setData(whole.data().slice(begin, std::max(begin, std::min(size, whole.data().size()))));
        some.setLink((lies & 16) != 0 ? input_.number() : 0);
    });
}

void hostile_peer::batch()
{
    say([&](outgoing message) {
        auto asked = call(message, capnp::typeId<schema::Sink>(), 0);
        aim_at_sink(asked.initTarget());
        fill(asked.initParams().getContent().initAs<schema::Sink::DeliverParams>().initBatch());
    });
}

void hostile_peer::done()
{
    say([&](outgoing message) {
        auto asked = call(message, capnp::typeId<schema::Sink>(), 1);
        aim_at_sink(asked.initTarget());
        asked.initParams().getContent().initAs<schema::Sink::DoneParams>();
    });
}

/// To anybody, for anything, with anything in it.
void hostile_peer::any_call()
{
    say([&](outgoing message) {
        const std::uint64_t interface =
            input_.byte() % 2 == 0 ? capnp::typeId<schema::Node>() : capnp::typeId<schema::Sink>();
        auto asked = call(message, interface, static_cast<std::uint16_t>(input_.number()));
        if (input_.byte() % 4 == 0)
            asked.setQuestionId(static_cast<std::uint32_t>(input_.number()));
        auto target = asked.initTarget();
        if (input_.byte() % 2 == 0) {
            target.setImportedCap(static_cast<std::uint32_t>(input_.number()));
        } else {
            auto promised = target.initPromisedAnswer();
            promised.setQuestionId(static_cast<std::uint32_t>(input_.number()));
            if (const unsigned steps = input_.byte() % 4; steps != 0)
                promised.initTransform(steps)[0].setGetPointerField(input_.byte());
        }
        auto params = asked.initParams();
        if (const unsigned objects = input_.byte() % 4; objects != 0) {
            auto table = params.initCapTable(objects);
            for (unsigned i = 0; i < objects; ++i) {
                const auto number = static_cast<std::uint32_t>(input_.number());
                switch (input_.byte() % 5) {
                case 0:
                    table[i].setSenderHosted(number);
                    break;
                case 1:
                    table[i].setSenderPromise(number);
                    break;
                case 2:
                    table[i].setReceiverHosted(number);
                    break;
                case 3:
                    table[i].initReceiverAnswer().setQuestionId(number);
                    break;
                default:
                    table[i].initThirdPartyHosted().setVineId(number);
                }
            }
        }
        if (input_.byte() % 8 == 0)
            asked.getSendResultsTo().setYourself();
    });
}

void hostile_peer::finish()
{
    say([&](outgoing message) {
        auto over = message.initFinish();
        const std::uint8_t which = input_.byte();
        const std::uint32_t upper = (manners_ & calls_directly) != 0 && which >= 128 ? 0x8000'0000 : 0;
        over.setQuestionId((which % 4 == 0 ? which / 4 : last_question_ - which % 4 + 1) | upper);
        over.setReleaseResultCaps(input_.byte() % 4 != 0);
    });
}

void hostile_peer::lie_of_answers()
{
    say([&](outgoing message) {
        auto answer = message.initReturn();
        const std::uint32_t upper = (manners_ & calls_directly) != 0 ? 0x8000'0000 : 0;
        answer.setAnswerId(static_cast<std::uint32_t>(input_.number()) | upper);
        lie(input_.byte(), answer);
    });
}

void hostile_peer::lie_of_objects()
{
    say([&](outgoing message) {
        const auto number = static_cast<std::uint32_t>(input_.number());
        switch (input_.byte() % 6) {
        case 0: {
            auto release = message.initRelease();
            release.setId(number);
            release.setReferenceCount(static_cast<std::uint32_t>(input_.number()));
            break;
        }
        case 1: {
            auto resolve = message.initResolve();
            resolve.setPromiseId(number);
            if (input_.byte() % 2 == 0)
                resolve.initCap().setSenderHosted(input_.byte());
            else
                resolve.initException().setReason("gone");
            break;
        }
        case 2: {
            auto embargo = message.initDisembargo();
            aim_at_sink(embargo.initTarget());
            embargo.getContext().setSenderLoopback(number);
            break;
        }
        case 3: {
            auto embargo = message.initDisembargo();
            aim_at_node(embargo.initTarget());
            embargo.getContext().setReceiverLoopback(number);
            break;
        }
        case 4:
            message.initProvide().setQuestionId(number);
            break;
        default:
            message.initAccept().setQuestionId(number);
        }
    });
}

void hostile_peer::give_up()
{
    say([&](outgoing message) {
        if (input_.byte() % 2 == 0)
            message.initAbort().setReason(wire::text(text()));
        else
            message.initUnimplemented().initCall().setQuestionId(input_.byte());
    });
}

/// Takes back what it would have said, or changes a byte of it.
void hostile_peer::cut()
{
    const std::size_t place = input_.number();
    const std::uint8_t change = input_.byte();
    if (out_.empty())
        return;
    if (change == 0)
        out_.resize(out_.size() - place % out_.size());
    else
        out_[place % out_.size()] = static_cast<char>(out_[place % out_.size()] ^ change);
}

// What is in it
// ----------------------------------------------------------------------------------------------------------

vat::Call::Builder hostile_peer::call(outgoing message, std::uint64_t interface, std::uint16_t method)
{
    auto asked = message.initCall();
    constexpr std::uint32_t large = 0x8000'0000;
    const bool is_large = (manners_ & calls_directly) != 0 && interface == capnp::typeId<schema::Sink>();
    asked.setQuestionId(++last_question_ | (is_large ? large : 0));
    asked.setInterfaceId(interface);
    asked.setMethodId(method);
    aim_at_node(asked.initTarget());
    return asked;
}

void hostile_peer::aim_at_node(vat::MessageTarget::Builder target)
{
    target.initPromisedAnswer().setQuestionId(0);
}

void hostile_peer::aim_at_sink(vat::MessageTarget::Builder target)
{
    if ((manners_ & calls_directly) != 0) {
        target.setImportedCap(1 + input_.byte() % 4);  // 0 is the node
        return;
    }
    auto promised = target.initPromisedAnswer();
    promised.setQuestionId(open_question_);
    promised.initTransform(1)[0].setGetPointerField(0);
}

void hostile_peer::greet(schema::Greeting::Builder me)
{
    const std::uint8_t lies = input_.byte();
    me.setNewest((lies & 1) != 0 ? static_cast<std::uint16_t>(input_.number()) : 1);
    me.setOldest((lies & 2) != 0 ? static_cast<std::uint16_t>(input_.number()) : 1);
    me.setName((lies & 4) != 0 ? wire::text(text()) : capnp::Text::Reader("liar"));
    me.setLife((lies & 8) != 0 ? life_of_node_ : 1 + input_.byte() % 4);
    me.setMessageMax((lies & 16) != 0 ? static_cast<std::uint32_t>(input_.number()) : 100'000);
    if ((lies & 32) != 0)
        me.setAddress(wire::text(text()));
    if ((lies & 64) != 0)
        me.initFeatures(input_.byte() % 8);
}

std::string hostile_peer::text()
{
    const std::uint8_t which = input_.byte();
    switch (which) {
    case 0:
        return "127.0.0.1:" + std::to_string(node_.where.port());
    case 1:
        return "127.0.0.1:1";
    case 2:
        return "host";
    case 3:
        return "node";
    case 4:
        return std::string(300, 'x');
    default:
        return std::string(input_.text(which % 32));
    }
}

void hostile_peer::write_pid(schema::Pid::Builder to)
{
    const std::uint8_t which = input_.byte();
    if (which < 128) {  // the node's own
        const pid known = node_.actors[which % node_.actors.size()];
        to.setLife(life_of_node_);
        to.setStrand(known.strand());
        to.setSlot(known.slot());
        to.setGeneration(known.generation());
        return;
    }
    const std::uint8_t life = input_.byte();
    to.setLife(life < 8 ? life : life < 128 ? life_of_node_ : life);
    to.setStrand(which % 4 == 3 ? static_cast<std::uint16_t>(input_.number()) : 0);
    const auto slot = static_cast<std::uint32_t>(input_.number());
    to.setSlot(slot == node_.spared.slot() ? node_.actors.front().slot() : slot);
    to.setGeneration(static_cast<std::uint32_t>(input_.number()));
    if (which % 8 == 7)
        to.setAddress(wire::text(text()));
}

void hostile_peer::fill(schema::Batch::Builder batch)
{
    auto pids = batch.initPids(input_.byte() % 8);
    for (auto each : pids)
        write_pid(each);
    auto envelopes = batch.initEnvelopes(input_.byte() % 8);
    for (auto each : envelopes)
        fill(each);
    auto signals = batch.initSignals(input_.byte() % 8);
    for (auto each : signals)
        fill(each);
}

void hostile_peer::fill(schema::Envelope::Builder to)
{
    const std::uint8_t lies = input_.byte();
    capnp::MallocMessageBuilder body;
    to.setType(fill_body(body));
    to.setBody(flat_bytes(body).data());
    to.setTarget((lies & 1) != 0 ? static_cast<std::uint32_t>(input_.number()) : 1);
    to.setSender((lies & 2) != 0 ? static_cast<std::uint32_t>(input_.number()) : 0);
    if ((lies & 4) != 0)
        to.setType(input_.number());
    if ((lies & 8) != 0)
        to.setRequest(input_.number());
    if ((lies & 16) != 0) {
        const std::uint64_t which = input_.number();
        to.setAnswers(asked_.empty() || which > 128 ? which : asked_[which % asked_.size()]);
        to.setFailure((lies & 32) != 0 ? static_cast<std::uint16_t>(input_.number()) : 0);
    } else if ((lies & 32) != 0) {
        auto headers = to.initHeaders(input_.byte() % 4);
        for (auto each : headers) {
            each.setName(wire::text(text()));
            each.setValue(wire::text(text()));
        }
    }
    if ((lies & 64) != 0)
        to.setRemaining(input_.number());
    if ((lies & 128) != 0) {
        const auto noise = input_.bytes(input_.byte() % 64);
        to.setBody({noise.data(), noise.size()});
    }
}

/// A message of the node's dictionary, or an answer; gives its type.
std::uint64_t hostile_peer::fill_body(capnp::MessageBuilder& body)
{
    switch (input_.byte() % 6) {
    case 0:
        body.initRoot<travel::Greeting>().setName(wire::text(text()));
        return wire::schema_id<greeting>();
    case 1:
        body.initRoot<schema::Natural>().setValue(input_.number());
        return wire::schema_id<more>();
    case 2:
        body.initRoot<schema::Nothing>();
        return wire::schema_id<total>();
    case 3:
        write_pid(body.initRoot<schema::Pid>());
        return wire::schema_id<meet>();
    case 4:
        write_pid(body.initRoot<travel::NewGreeting>().initWho());
        return wire::schema_id<tell>();
    default:
        body.initRoot<schema::Letters>().setValue(wire::text(text()));
        return wire::schema_id<std::string>();
    }
}

void hostile_peer::fill(schema::Signal::Builder to)
{
    to.setKind(input_.byte() % 10);
    const std::uint8_t lies = input_.byte();
    to.setTarget((lies & 1) != 0 ? input_.byte() : 1);
    to.setAbout((lies & 2) != 0 ? input_.byte() : 2);
    to.setLinked((lies & 4) != 0);
    to.setReason((lies & 8) != 0 ? static_cast<std::uint16_t>(input_.number()) : 0);
    to.setRequest((lies & 16) != 0 ? input_.number() : 0);
}

// What the node says
// ----------------------------------------------------------------------------------------------------------

void hostile_peer::hear(vat::Message::Reader message)
{
    if (message.isBootstrap()) {
        say([&](outgoing answer) {
            auto made = answer.initReturn();
            made.setAnswerId(message.getBootstrap().getQuestionId());
            give_object(made.initResults(), 0,
                [](capnp::AnyPointer::Builder content, kj::Own<capnp::ClientHook> node) {
                    content.setAs<schema::Node>(schema::Node::Client(kj::mv(node)));
                });
        });
    } else if (message.isCall()) {
        hear(message.getCall());
    } else if (message.isReturn() && message.getReturn().getAnswerId() == hello_question_ &&
        message.getReturn().isResults()) {
        const auto welcome =
            message.getReturn().getResults().getContent().getAs<schema::Node::HelloResults>().getWelcome();
        if (welcome.hasGreeting())
            life_of_node_ = welcome.getGreeting().getLife();
    }
}

void hostile_peer::hear(vat::Call::Reader asked)
{
    const auto content = asked.getParams().getContent();
    if (asked.getInterfaceId() == capnp::typeId<schema::Node>() && asked.getMethodId() == 0)
        life_of_node_ = content.getAs<schema::Node::HelloParams>().getGreeting().getLife();
    if (asked.getInterfaceId() == capnp::typeId<schema::Sink>() && asked.getMethodId() == 0) {
        const auto batch = content.getAs<schema::Sink::DeliverParams>().getBatch();
        for (const auto each : batch.getEnvelopes())
            if (each.getRequest() != 0 && asked_.size() < 100)
                asked_.push_back(each.getRequest());
        for (const auto each : batch.getSignals())
            if (each.getRequest() != 0 && asked_.size() < 100)
                asked_.push_back(each.getRequest());
    }
    if ((manners_ & says_nothing) != 0)
        return;
    say([&](outgoing message) {
        auto made = message.initReturn();
        made.setAnswerId(asked.getQuestionId());
        answer(asked, made);
        if ((manners_ & lies_in_answers) != 0)
            if (const std::uint8_t how = input_.byte(); how >= 128)
                lie(how, made);
    });
}

void hostile_peer::answer(vat::Call::Reader asked, vat::Return::Builder answer)
{
    auto results = answer.initResults();
    if (asked.getInterfaceId() != capnp::typeId<schema::Node>())
        return;
    switch (asked.getMethodId()) {
    case 0: {
        auto welcome = results.getContent().initAs<schema::Node::HelloResults>().initWelcome();
        welcome.setProtocol(1);
        auto me = welcome.initGreeting();
        me.setNewest(1);
        me.setOldest(1);
        me.setName("liar");
        me.setLife(1);
        me.setMessageMax(100'000);
        if ((manners_ & lies_in_answers) != 0) {
            if (const std::uint8_t how = input_.byte(); how % 4 == 1)
                greet(me);
            else if (how % 4 == 2)
                welcome.setRefusal(how);
        }
        break;
    }
    case 1:
        give_object(results, 1, [](capnp::AnyPointer::Builder content, kj::Own<capnp::ClientHook> sink) {
            content.initAs<schema::Node::OpenResults>().setSink(schema::Sink::Client(kj::mv(sink)));
        });
        break;
    case 2:
        write_pid(results.getContent().initAs<schema::Node::FindResults>().initWho());
        break;
    default:
        break;
    }
}

void hostile_peer::lie(std::uint8_t how, vat::Return::Builder answer)
{
    switch (how % 8) {
    case 0:
        answer.initException().setReason(wire::text(text()));
        answer.getException().setType(static_cast<vat::Exception::Type>(input_.byte() % 4));
        break;
    case 1:
        answer.setCanceled();
        break;
    case 2:
        answer.setResultsSentElsewhere();
        break;
    case 3:
        answer.setTakeFromOtherQuestion(static_cast<std::uint32_t>(input_.number()));
        break;
    case 4:
        write_pid(answer.initResults().getContent().initAs<schema::Pid>());
        break;
    case 5:
        answer.initResults().initCapTable(1)[0].setReceiverHosted(input_.byte());
        break;
    case 6:
        answer.initResults().initCapTable(1)[0].setSenderPromise(input_.byte());
        break;
    default:
        answer.initAcceptFromThirdParty();
    }
}

/// Takes what has come; false where nothing has.
bool hostile_peer::listen()
{
    boost::system::error_code failed;
    const std::size_t came = socket_.read_some(framer_.prepare(), failed);
    if (failed && failed != boost::asio::error::would_block)
        is_over_ = true;
    framer_.commit(came);
    for (;;) {
        auto message = framer_.next(capnp::ReaderOptions());
        if (message.get() == nullptr)
            return came != 0;
        try {
            hear(message->getRoot<vat::Message>());
        } catch (const kj::Exception&) {
            // It answers something else under that number, which was used twice.
        }
    }
}

void hostile_peer::write(std::size_t bytes)
{
    boost::system::error_code failed;
    out_.erase(0, socket_.write_some(boost::asio::buffer(out_, bytes), failed));
    if (failed == boost::asio::error::would_block)
        node_.run();
    else if (failed)
        is_over_ = true;
}

void hostile_peer::flush()
{
    for (std::size_t turn = 0; turn < turns_max && !out_.empty() && !is_over_; ++turn) {
        const bool is_whole = piece_ == 0 || turn >= pieces_max;
        write(is_whole ? out_.size() : std::min(piece_, out_.size()));
        if ((manners_ & runs_between) != 0)
            node_.run();
    }
}

/// Until nothing moves any more.
void hostile_peer::settle()
{
    for (std::size_t turn = 0; turn < turns_max; ++turn) {
        const std::size_t run = node_.run();
        const bool has_heard = !is_over_ && listen();
        flush();
        if (run == 0 && !has_heard)
            return;
    }
}

}  // namespace support
