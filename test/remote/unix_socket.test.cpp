// SPDX-License-Identifier: MIT

#include "../../lib/remote/unix_socket.hpp"

#include "../../lib/remote/switchboard.hpp"

#include <costar/remote/node.hpp>

#include <boost/asio/local/stream_protocol.hpp>

#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>

#include <support/catch.hpp>

#include "authority.hpp"
#include "places.hpp"

using namespace costar;
using namespace support;
using boost::asio::use_future;
using unix_stream = boost::asio::local::stream_protocol;

TEST_CASE("unix_socket: nodes of one machine find and ask each other", "[remote][unix_socket]")
{
    const folder files;
    const std::string path = files / "x.sock";
    place here({.name = "here", .listen = "unix:" + files / "y.sock"});
    place client({});
    {
        place there({.name = "there", .listen = "unix:" + path});
        CHECK(there.node.address() == "unix:" + path);
        there.actors.spawn("host", host);
        heard<remote::peer_connected> met(there.actors);
        const pid far = here.node.find("unix:" + path + ":/host", use_future).get();
        CHECK(here.ask(far, greeting{"bob"}) == "hello bob");
        CHECK(met.comes([&](const remote::peer_connected& each) {
            return each.name == "here" && each.address.starts_with("unix:" + path + " (process ");
        }));
        CHECK(client.ask(client.find(there, "host"), greeting{"eve"}) == "hello eve");

        // As the umask has it.
        const mode_t mask = ::umask(0);
        ::umask(mask);
        struct stat found{};
        REQUIRE(::stat(path.c_str(), &found) == 0);
        CHECK((found.st_mode & 0777U) == (0777U & ~mask));
    }
    CHECK_FALSE(std::filesystem::exists(path));
    place late({});
    CHECK(failure_of([&] { late.find("unix:" + path, "host"); }) == errc::unreachable);
}

TEST_CASE("unix_socket: a file that a dead process has left is replaced, one in use is refused",
    "[remote][unix_socket]")
{
    const folder files;
    const std::string path = files / "x.sock";
    {
        boost::asio::io_context io;
        const unix_stream::acceptor dead(io, unix_stream::endpoint(path));  // leaves its file
    }
    REQUIRE(std::filesystem::exists(path));
    place there({.listen = "unix:" + path});
    there.actors.spawn("host", host);

    engine second({.strands = 1});
    std::string why;
    try {
        const remote::node none(second, all_words(), {.listen = "unix:" + path});
    } catch (const boost::system::system_error& refused) {
        why = refused.what();
    }
    CHECK(why.find(path + " is there already") != std::string::npos);
    place here({});
    CHECK(here.ask(here.find(there, "host"), greeting{"x"}) == "hello x");

    files.write("plain", "a letter");
    CHECK_THROWS_AS(remote::node(second, all_words(), {.listen = "unix:" + files / "plain"}),
        boost::system::system_error);
    CHECK(std::filesystem::file_size(files / "plain") == 8);
    CHECK_THROWS_AS(remote::node(second, all_words(), {.listen = "unix:x.sock"}), std::invalid_argument);
    CHECK_THROWS_AS(remote::node(second, all_words(), {.listen = "unix:" + files / "no/where"}),
        boost::system::system_error);
}

TEST_CASE("unix_socket: the file of whoever has taken its place stays", "[remote][unix_socket]")
{
    const folder files;
    const std::string path = files / "x.sock";
    std::optional<place> first(std::in_place, remote::node_options{.listen = "unix:" + path});
    std::filesystem::remove(path);
    const place second({.listen = "unix:" + path});
    first.reset();
    CHECK(std::filesystem::exists(path));
}

TEST_CASE("unix_socket: others do not lead a node of the network to the sockets of its machine",
    "[remote][unix_socket]")
{
    engine actors({.strands = 1});
    const auto board_at = [&](const std::string& address) {
        return std::make_unique<remote::switchboard>(
            actors, all_words(), remote::node_options{.network = remote::tcp_transport()}, address);
    };
    CHECK(board_at("127.0.0.1:1")->address_from("unix:/run/x").empty());
    CHECK(board_at("127.0.0.1:1")->address_from("127.0.0.1:2") == "127.0.0.1:2");
    CHECK(board_at("127.0.0.1:1")->address_from("unix:/run/x", "unix:/run/x") == "unix:/run/x");
    CHECK(board_at("unix:/run/y")->address_from("unix:/run/x") == "unix:/run/x");
    CHECK(board_at("")->address_from("unix:/run/x") == "unix:/run/x");
}
