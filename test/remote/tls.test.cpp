// SPDX-License-Identifier: MIT

#include <costar/remote/tls.hpp>

#include "../../lib/remote/address.hpp"

#include <costar/remote/node.hpp>

#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <thread>

#include <support/catch.hpp>

#include <costar/node.capnp.h>
#include <costar/rpc/connection.hpp>
#include <costar/rpc/tls_stream.hpp>

#include "authority.hpp"
#include "calls.hpp"
#include "places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using boost::asio::use_future;
using remote::refusal;

namespace {

namespace ssl = boost::asio::ssl;
using tls_socket = ssl::stream<tcp::socket>;

/// What every case begins with: somebody who signs, and where the papers lie.
struct office {
    folder files;
    authority signs{"authority"};

    remote::node_options node(
        const std::string& paper, const wanted& what = {}, const std::string& authorities = {}) const
    {
        return {.listen = "127.0.0.1:0",
            .network = remote::tls_transport(in_files(
                files, paper, signs.issue(paper, what), authorities.empty() ? signs.pem() : authorities))};
    }
};

remote::node_options called(std::string name, remote::node_options options)
{
    options.name = std::move(name);
    return options;
}

/// What a node says of those whom it does not let in, or who do not let it in.
struct refusals {
    explicit refusals(place& where) : told(where.actors) {}

    bool say(refusal number, const std::string& text, bool by_peer = false)
    {
        return told.comes([&](const remote::peer_refused& each) {
            return each.number == number && each.by_peer == by_peer &&
                each.reason.find(text) != std::string::npos;
        });
    }

    heard<remote::peer_refused> told;
};

void check_serves(const office& at, place& there)
{
    place friendly(at.node("friend"));
    CHECK(friendly.ask(friendly.find(there, "host"), greeting{"x"}) == "hello x");
}

/// Somebody who shows a certificate without having it checked first, or shows none.
ssl::context plain_context(const paper& shown, const std::string& authority)
{
    ssl::context made(ssl::context::tls);
    if (!shown.certificate.empty()) {
        made.use_certificate_chain(boost::asio::buffer(shown.certificate));
        made.use_private_key(boost::asio::buffer(shown.key), ssl::context::pem);
    }
    if (!authority.empty())
        made.add_certificate_authority(boost::asio::buffer(authority));
    return made;
}

/// Dials a node, and says what came of it.
std::string dial_with(const place& there, const paper& shown, const std::string& authority)
{
    boost::asio::io_context io;
    ssl::context context = plain_context(shown, authority);
    tls_socket socket(io, context);
    socket.next_layer().connect(endpoint_of(there));
    boost::system::error_code failed;
    socket.handshake(tls_socket::client, failed);
    char answer = 0;
    if (!failed)
        boost::asio::read(socket, boost::asio::buffer(&answer, 1), failed);
    return failed.message();
}

/// A program that is no node calls one: `does` gets it.
template <class Does>
auto as_program(const place& there, const paper& shown, const std::string& authority, Does does)
{
    boost::asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    ssl::context context = plain_context(shown, authority);
    tls_socket socket(io, context);
    socket.next_layer().connect(endpoint_of(there));
    socket.handshake(tls_socket::client);
    auto calls = rpc::connection::client(rpc::make_stream(std::move(socket)));
    auto node = calls.bootstrap<schema::Node>();
    return does(io, node);
}

/// What it hears when it asks for an actor.
std::string asked_by_program(const place& there, const paper& shown, const std::string& authority)
{
    return as_program(there, shown, authority, [](boost::asio::io_context& io, schema::Node::Client& node) {
        auto request = node.actorRequest();
        request.setName("host");
        return said_of(io, request.send());
    });
}

/// Why it has no answer to a greeting.
errc refused_to_program(const place& there, const paper& shown, const std::string& authority)
{
    return as_program(there, shown, authority, [](boost::asio::io_context& io, schema::Node::Client& node) {
        auto looked = node.actorRequest();
        looked.setName("host");
        auto request = looked.send().getActor().askRequest();
        flat_bytes body(greeting{"program"});
        request.setType(wire::schema_id<greeting>());
        request.setBody(body.data());
        return static_cast<errc>(results_of(io, request.send()).getFailure());
    });
}

/// Serves one connection, and lets it go.
struct lone_server {
    lone_server(const paper& shown, const std::string& authority)
        : thread([this, shown, authority] {
              ssl::context context = plain_context(shown, authority);
              tls_socket socket(io, context);
              acceptor.accept(socket.next_layer());
              boost::system::error_code failed;
              socket.handshake(tls_socket::server, failed);
              said = failed.message();
          })
    {}
    ~lone_server() { thread.join(); }

    std::string address() const { return remote::text_of(acceptor.local_endpoint()); }

    boost::asio::io_context io;
    tcp::acceptor acceptor{io, {boost::asio::ip::address_v4::loopback(), 0}};
    std::string said;
    std::thread thread;
};

/// What is wrong at the start.
std::string why_not(const remote::tls_options& options)
{
    try {
        remote::tls_transport(options);
    } catch (const std::invalid_argument& refused) {
        return refused.what();
    }
    return {};
}

}  // namespace

TEST_CASE("tls: two nodes ask, watch, and are told when the link is cut", "[remote][tls]")
{
    const office at;
    place here(called("here", at.node("here", {.names = "DNS:here,IP:127.0.0.1"})));
    std::optional<place> there(
        std::in_place, called("there", at.node("there", {.names = "IP:127.0.0.1,URI:there"})));
    there->actors.spawn("host", host);
    const pid far = here.find(*there, "host");
    CHECK(here.ask(far, greeting{"bob"}) == "hello bob");
    const std::string large(1'000'000, 'x');
    CHECK(here.ask(far, greeting{large}).size() == large.size() + 6);

    const auto watches = [](context& self, pid whom, std::promise<errc>* told) -> task<> {
        self.watch(whom);
        message m = co_await self.receive<terminated>();
        told->set_value(m.get<terminated>().reason);
    };
    std::promise<errc> told;
    here.actors.spawn(+watches, far, &told);
    CHECK(here.ask(far, greeting{"eve"}) == "hello eve");
    there.reset();
    const errc reason = told.get_future().get();
    CHECK((reason == errc::unreachable || reason == errc::actor_stopped));
}

TEST_CASE(
    "tls: who shows a certificate of an unknown authority is not let in, on either side", "[remote][tls]")
{
    const office at;
    const authority other("another authority");
    place there(at.node("there"));
    there.actors.spawn("host", host);
    // It believes both, and is believed by none of the others.
    place stranger({.listen = "127.0.0.1:0",
        .network = remote::tls_transport(
            in_files(at.files, "stranger", other.issue("stranger"), at.signs.pem() + other.pem()))});
    refusals of_there(there);
    refusals of_stranger(stranger);

    CHECK(cannot_find(stranger, there.node.address()));
    CHECK(of_there.say(refusal::not_trusted, "not accepted: unable to get local issuer certificate"));
    CHECK(of_stranger.say(refusal::not_trusted, "unknown ca", true));

    CHECK(cannot_find(there, stranger.node.address()));
    CHECK(of_there.say(refusal::not_trusted, stranger.node.address() + " is not accepted"));
    CHECK(of_stranger.say(refusal::not_trusted, "refuses the handshake", true));
    check_serves(at, there);
}

TEST_CASE("tls: what has expired or is not yet valid is not accepted, nor shown", "[remote][tls]")
{
    const office at;
    place there(at.node("there"));
    there.actors.spawn("host", host);
    refusals told(there);
    const paper old = at.signs.issue("old", {.from = -1000, .until = -10});
    const paper early = at.signs.issue("early", {.from = 1000, .until = 2000});

    CHECK(holds(dial_with(there, old, at.signs.pem()), "expired"));
    CHECK(told.say(refusal::not_trusted, "certificate has expired"));
    CHECK_FALSE(dial_with(there, early, at.signs.pem()).empty());
    CHECK(told.say(refusal::not_trusted, "certificate is not yet valid"));
    {
        const lone_server aged(old, at.signs.pem());
        CHECK(cannot_find(there, aged.address()));
        CHECK(told.say(refusal::not_trusted, aged.address() + " is not accepted: certificate has expired"));
    }
    CHECK(holds(why_not(in_files(at.files, "old", old, at.signs.pem())), at.files / "old.pem has expired"));
    CHECK(holds(why_not(in_files(at.files, "early", early, at.signs.pem())), "early.pem is not valid yet"));
    check_serves(at, there);
}

TEST_CASE("tls: a certificate is for the host that is dialled, a name or an address", "[remote][tls]")
{
    const office at;
    place elsewhere(at.node("elsewhere", {.names = "DNS:elsewhere,DNS:127.0.0.1,IP:127.0.0.2"}));
    place by_name(at.node("by_name", {.names = "DNS:localhost"}));
    by_name.actors.spawn("host", host);
    elsewhere.actors.spawn("host", host);
    place here(at.node("here"));
    refusals of_here(here);
    refusals of_elsewhere(elsewhere);

    CHECK(cannot_find(here, elsewhere.node.address()));
    CHECK(of_here.say(refusal::not_trusted, "it is not for 127.0.0.1"));
    CHECK(of_elsewhere.say(refusal::not_trusted, "refuses the handshake", true));

    const std::string port = by_name.node.address().substr(by_name.node.address().rfind(':'));
    CHECK(here.ask(here.find("localhost" + port, "host"), greeting{"x"}) == "hello x");

    remote::tls_options careless = in_files(at.files, "careless", at.signs.issue("careless"), at.signs.pem());
    careless.checks_host = false;
    place trusting({.network = remote::tls_transport(careless)});
    CHECK(trusting.ask(trusting.find(elsewhere, "host"), greeting{"x"}) == "hello x");
}

TEST_CASE("tls: who shows no certificate is not let in", "[remote][tls]")
{
    const office at;
    place there(at.node("there"));
    there.actors.spawn("host", host);
    refusals told(there);
    CHECK(holds(dial_with(there, {}, at.signs.pem()), "certificate required"));
    CHECK(told.say(refusal::not_trusted, "shows no certificate"));
    check_serves(at, there);
}

TEST_CASE("tls: who knocks again and again is an event each time, and one line of the log", "[remote][tls]")
{
    const office at;
    place there(at.node("there"));
    heard<remote::peer_refused> told(there.actors);
    std::atomic<int> lines{0};
    set_log_sink([&](log_level, std::string_view line) {
        lines += line.find("shows no certificate") != std::string_view::npos ? 1 : 0;
    });
    for (int i = 0; i < 10; ++i)
        dial_with(there, {}, at.signs.pem());
    CHECK(told.comes_after(9));
    set_log_sink({});
    CHECK(lines == 1);
}

TEST_CASE("tls: a certificate for many names proves none of them", "[remote][tls]")
{
    const office at;
    place there(called("there", at.node("there", {.names = "DNS:there,IP:127.0.0.1"})));
    place liar(called("*.bob", at.node("liar", {.names = "DNS:*.bob,IP:127.0.0.1"})));
    refusals of_there(there);
    CHECK(cannot_find(liar, there.node.address()));
    CHECK(of_there.say(refusal::name_not_proven, ""));
}

TEST_CASE("tls: programs that are no nodes are let in by the names that they prove", "[remote][tls]")
{
    const office at;
    const paper friendly = at.signs.issue("friend", {.names = "DNS:friend"});
    const paper stranger = at.signs.issue("stranger", {.names = "DNS:stranger"});
    place open(at.node("open"));
    auto options = at.node("guarded");
    options.allowed = {"friend"};
    place guarded(options);
    for (place* each : {&open, &guarded})
        each->actors.spawn("host", host);

    CHECK(asked_by_program(open, stranger, at.signs.pem()) == "");
    CHECK(asked_by_program(guarded, friendly, at.signs.pem()) == "");
    CHECK(asked_by_program(guarded, stranger, at.signs.pem()).find("proves no name") != std::string::npos);

    options.allows = [](const std::string&) -> bool { throw std::runtime_error("a secret"); };
    place odd(options);
    const std::string said = asked_by_program(odd, friendly, at.signs.pem());
    CHECK(holds(said, "proves no name"));
    CHECK_FALSE(holds(said, "secret"));
}

TEST_CASE(
    "tls: programs that are no nodes may send what one of the names may that they prove", "[remote][tls]")
{
    const office at;
    auto options = at.node("there");
    options.sent_by.add<greeting>(remote::peers{"friend"});
    place there(options);
    there.actors.spawn("host", host);
    const paper friendly = at.signs.issue("friend", {.names = "DNS:other,DNS:friend"});
    const paper stranger = at.signs.issue("stranger", {.names = "DNS:stranger"});
    CHECK(refused_to_program(there, friendly, at.signs.pem()) == errc{});
    CHECK(refused_to_program(there, stranger, at.signs.pem()) == errc::not_permitted);
}

TEST_CASE("tls: a node that says its name proves it, on either side", "[remote][tls]")
{
    const office at;
    place alice(called("alice", at.node("alice", {.names = "DNS:Alice,IP:127.0.0.1"})));
    place liar(called("bob", at.node("liar", {.names = "DNS:mallory,DNS:*.bob,IP:127.0.0.1"})));
    alice.actors.spawn("host", host);
    liar.actors.spawn("host", host);
    refusals of_alice(alice);
    refusals of_liar(liar);

    CHECK(cannot_find(liar, alice.node.address()));
    CHECK(of_alice.say(refusal::name_not_proven, "not for its name"));
    CHECK(of_liar.say(refusal::name_not_proven, "not for its name", true));
    CHECK(cannot_find(alice, liar.node.address()));
    CHECK(of_alice.told.count() >= 2);
    CHECK(of_liar.told.comes([](const remote::peer_refused& each) {
        return each.number == refusal::name_not_proven && each.name == "alice";
    }));

    place nameless(at.node("nameless"));
    CHECK(nameless.ask(nameless.find(alice, "host"), greeting{"x"}) == "hello x");
}

TEST_CASE("tls: where one side speaks plainly both are told, and stay", "[remote][tls]")
{
    const office at;
    place safe(at.node("safe"));
    place plain({.listen = "127.0.0.1:0", .network = remote::tcp_transport()});
    safe.actors.spawn("host", host);
    plain.actors.spawn("host", host);
    refusals of_safe(safe);
    heard<remote::peer_lost> ends_plain(plain.actors);
    const auto asks_for_tls = [](const remote::peer_lost& each) { return holds(each.reason, "TLS"); };

    CHECK(cannot_find(plain, safe.node.address()));
    CHECK(of_safe.say(refusal::not_trusted, "does not speak TLS"));
    CHECK(ends_plain.comes(asks_for_tls));

    CHECK(cannot_find(safe, plain.node.address()));
    CHECK(of_safe.told.comes([&](const remote::peer_refused& each) {
        return each.address == plain.node.address() && holds(each.reason, "speak TLS");
    }));
    CHECK(ends_plain.comes([&](const remote::peer_lost& each) {
        return asks_for_tls(each) && each.address != safe.node.address();
    }));
    check_serves(at, safe);
    place other({.network = remote::tcp_transport()});
    CHECK(other.ask(other.find(plain, "host"), greeting{"x"}) == "hello x");
}

TEST_CASE("tls: a handshake that does not end is ended", "[remote][tls]")
{
    const office at;
    remote::node_options hasty = at.node("there");
    hasty.greeting_timeout = 50ms;
    place there(hasty);
    heard<remote::peer_lost> lost(there.actors);
    boost::asio::io_context io;
    tcp::socket silent(io);
    silent.connect(endpoint_of(there));
    char answer = 0;
    boost::system::error_code ended;
    boost::asio::read(silent, boost::asio::buffer(&answer, 1), ended);
    CHECK(ended);
    CHECK(lost.comes());
}

TEST_CASE("tls: what does not fit is refused at the start, by the name of its file", "[remote][tls]")
{
    const office at;
    const remote::tls_options good = in_files(at.files, "good", at.signs.issue("good"), at.signs.pem());
    const auto why = [&](const std::function<void(remote::tls_options&)>& spoil) {
        remote::tls_options bad = good;
        spoil(bad);
        return why_not(bad);
    };
    CHECK(why([](auto&) {}).empty());
    CHECK(holds(
        why([](auto& o) { o.certificate = "/nowhere/a.pem"; }), "/nowhere/a.pem cannot be read: No such"));
    CHECK(holds(why([](auto& o) { o.key = "/nowhere/a.key"; }), "/nowhere/a.key cannot be read"));
    CHECK(holds(why([](auto& o) { o.authorities = {}; }), "cannot be read"));
    CHECK(holds(why([](auto& o) { o.key = o.certificate; }), "good.pem holds no key"));
    CHECK(holds(why([](auto& o) { o.authorities = o.key; }), "good.key holds no certificate"));
    CHECK(holds(why([](auto& o) { o.dialling_key = o.key; }), "dialling_certificate and dialling_key"));
    CHECK(
        holds(why([](auto& o) { o.dialling_certificate = o.certificate; }), "are given both or not at all"));
    CHECK(holds(why([](auto& o) { o.expiry_warning = -1ns; }), "expiry_warning must not be less than 0"));
    CHECK(holds(why([](auto& o) { o.look_interval = -1ns; }), "look_interval must not be less than 0"));
    CHECK(why([](auto& o) { o.expiry_warning = o.look_interval = 0ns; }).empty());
    // As a container makes of a mount that is missing.
    std::filesystem::create_directory(at.files / "mount");
    for (std::string remote::tls_options::* const file :
        {&remote::tls_options::certificate, &remote::tls_options::key, &remote::tls_options::authorities})
        CHECK(holds(why([&](auto& o) { o.*file = at.files / "mount"; }), "mount cannot be read: Is a dir"));
    const std::string half = at.signs.pem().substr(0, 200);
    CHECK_FALSE(
        why([&](auto& o) { o.authorities = at.files.write("half.ca", at.signs.pem() + half); }).empty());
    const paper other = at.signs.issue("other");
    CHECK(holds(why([&](auto& o) { o.key = at.files.write("other.key", other.key); }),
        "other.key is not the key to the certificate in " + good.certificate));

    // Some authorities sign for servers alone, and for clients alone.
    const paper server = at.signs.issue("server", {.use = "serverAuth"});
    const paper client = at.signs.issue("client", {.use = "clientAuth"});
    remote::tls_options both = in_files(at.files, "both", server, at.signs.pem());
    CHECK(holds(why_not(both), "both.pem is not for clients"));
    both.dialling_certificate = at.files.write("client.pem", client.certificate);
    both.dialling_key = at.files.write("client.key", client.key);
    CHECK(why_not(both).empty());
    CHECK(
        holds(why_not(in_files(at.files, "wrong", client, at.signs.pem())), "wrong.pem is not for servers"));
    place there({.listen = "127.0.0.1:0", .network = remote::tls_transport(both)});
    there.actors.spawn("host", host);
    place here(at.node("here"));
    there.actors.spawn("guest", host);
    CHECK(here.ask(here.find(there, "host"), greeting{"x"}) == "hello x");
    here.actors.spawn("host", host);
    CHECK(there.ask(there.find(here, "host"), greeting{"x"}) == "hello x");

    CHECK_THROWS_AS(here.node.find("unix:/run/x:/host", use_future).get(), std::exception);
    engine actors({.strands = 1});
    remote::node_options local = at.node("local");
    local.listen = "unix:" + at.files / "socket";
    CHECK_THROWS_AS(remote::node(actors, all_words(), local), std::invalid_argument);
}

TEST_CASE("tls: an authority takes the place of another one, and no message is lost", "[remote][tls]")
{
    const office at;
    const authority young("young authority");
    const wanted what{.names = "IP:127.0.0.1,DNS:here,DNS:there"};
    const auto both = at.signs.pem() + young.pem();
    place here(at.node("here", what));
    place there(at.node("there", what));
    heard<remote::certificate_notice> told(there.actors);
    there.actors.spawn("adder", adder);
    there.actors.spawn("host", host);
    const pid far = here.find(there, "adder");
    std::uint64_t sent = 0;
    const auto send_some = [&] {
        for (int i = 0; i < 500; ++i, ++sent)
            here.actors.send(far, more{1});
    };
    const auto newcomer_is_served = [&](const authority& signs, const std::string& believed) {
        place newcomer({.network = remote::tls_transport(
                            in_files(at.files, "newcomer", signs.issue("newcomer"), believed))});
        CHECK(newcomer.ask(newcomer.find(there, "host"), greeting{"x"}) == "hello x");
    };

    send_some();
    newcomer_is_served(at.signs, at.signs.pem());
    // First all believe both, then all show new ones, then nobody believes the old one.
    for (const char* each : {"here", "there"})
        at.files.write(std::string(each) + ".ca", both);
    newcomer_is_served(young, both);
    CHECK(
        told.comes([](const auto& each) { return each.what == remote::certificate_notice::kind::reloaded; }));
    send_some();
    for (const char* each : {"here", "there"})
        in_files(at.files, each, young.issue(each, what), both);
    newcomer_is_served(young, young.pem());
    newcomer_is_served(at.signs, both);
    send_some();
    for (const char* each : {"here", "there"})
        at.files.write(std::string(each) + ".ca", young.pem());
    newcomer_is_served(young, young.pem());
    send_some();
    refusals refused(there);
    place late({.network = remote::tls_transport(in_files(at.files, "late", at.signs.issue("late"), both))});
    CHECK(cannot_find(late, there.node.address()));
    CHECK(refused.say(refusal::not_trusted, "not accepted"));

    // The link has been there all the time.
    while (here.ask(far, total{}) != sent)
        std::this_thread::yield();
    CHECK(here.node.counters().lost == 0);
}

TEST_CASE("tls: new files that do not fit leave the old ones, and that is told", "[remote][tls]")
{
    const office at;
    place there(at.node("there"));
    there.actors.spawn("host", host);
    heard<remote::certificate_notice> told(there.actors);
    at.files.write("there.key", at.signs.issue("other").key);
    check_serves(at, there);
    CHECK(told.comes([&](const remote::certificate_notice& each) {
        return each.what == remote::certificate_notice::kind::not_reloaded && holds(each.text, "there.key");
    }));
    check_serves(at, there);
    CHECK(told.count() == 1);
    in_files(at.files, "there", at.signs.issue("there"), at.signs.pem());
    check_serves(at, there);
    CHECK(
        told.comes([](const auto& each) { return each.what == remote::certificate_notice::kind::reloaded; }));
}

TEST_CASE("tls: a folder in the place of a file leaves what stood in it, and who looks", "[remote][tls]")
{
    const office at;
    remote::tls_options options = in_files(at.files, "there", at.signs.issue("there"), at.signs.pem());
    options.look_interval = 1ms;
    place there({.listen = "127.0.0.1:0", .network = remote::tls_transport(options)});
    there.actors.spawn("host", host);
    heard<remote::certificate_notice> told(there.actors);
    for (const std::string& file : {options.certificate, options.key, options.authorities}) {
        std::filesystem::copy_file(file, file + ".old");
        std::filesystem::create_directory(file + ".folder");  // at once: it is looked all the time
        std::filesystem::create_directory_symlink(file + ".folder", file + ".new");
        std::filesystem::rename(file + ".new", file);
        CHECK(told.comes([&](const remote::certificate_notice& each) {
            return each.what == remote::certificate_notice::kind::not_reloaded &&
                holds(each.text, file + " cannot be read: Is a directory");
        }));
        // What is in its place again may have been seen while it came there, and be told of once more.
        const auto is_bad = [](const remote::certificate_notice& each) {
            return each.what == remote::certificate_notice::kind::not_reloaded;
        };
        const std::size_t once = told.count(is_bad);
        check_serves(at, there);
        check_serves(at, there);
        CHECK(told.count(is_bad) == once);

        const std::size_t before = told.count();
        std::filesystem::rename(file + ".old", file);
        CHECK(told.comes_after(before));
    }
    CHECK(
        told.comes([](const auto& each) { return each.what == remote::certificate_notice::kind::reloaded; }));
}

TEST_CASE("tls: that a certificate expires soon is told in time", "[remote][tls]")
{
    const office at;
    const auto network = at.node("soon", {.until = 10L * 24 * 3600}).network;
    std::uint64_t seen = 0;
    const auto news = network->look(seen);
    REQUIRE(news.size() == 1);
    CHECK(news.front().what == remote::certificate_notice::kind::expires_soon);
    CHECK(news.front().file == at.files / "soon.pem");
    CHECK(holds(news.front().text, "CN = soon"));
    CHECK(network->look(seen).empty());
    std::uint64_t of_another_node = 0;
    CHECK(network->look(of_another_node).size() == 1);
    std::uint64_t of_one_that_lasts = 0;
    CHECK(at.node("lasts").network->look(of_one_that_lasts).empty());

    engine actors({.strands = 1});
    heard<remote::certificate_notice> told(actors);
    const remote::node looks_after_itself(actors, all_words(), {.network = network});
    CHECK(told.comes(
        [](const auto& each) { return each.what == remote::certificate_notice::kind::expires_soon; }));
}
