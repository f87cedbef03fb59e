// SPDX-License-Identifier: MIT

// Two nodes that show each other certificates: a request goes over TLS, a stranger with a certificate of
// another authority is not let in. The certificates are made by the openssl tool, as docs/guide/remote.md
// says it; a folder with such ones may be given as argument.

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/remote/node.hpp>
#include <costar/remote/tls.hpp>

#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <string_view>

#include "hello.costar.hpp"  // made of hello.capnp by capnpc-costar

namespace asio = boost::asio;
namespace remote = costar::remote;
using costar::context;
using costar::message;
using costar::pid;
using costar::task;
using demo::hello;

namespace {

constexpr const char* make_certificates = R"(
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout ca.key -out ca.pem -days 3650 -subj "/CN=our nodes"
for node in first second; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout $node.key -out $node.csr -subj "/CN=$node" \
        -addext "subjectAltName=DNS:$node,DNS:localhost,IP:127.0.0.1"
    openssl x509 -req -in $node.csr -out $node.pem -days 90 \
        -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy
done
)";

/// A folder with certificates; false where the tool is not there.
bool make_in(const std::filesystem::path& folder)
{
    std::filesystem::create_directories(folder);
    const std::string commands =
        fmt::format("{{ cd {} && set -e\n{}}} 2>/dev/null", folder.string(), make_certificates);
    return std::system(commands.c_str()) == 0;
}

std::shared_ptr<remote::transport> over_tls(const std::filesystem::path& folder, const std::string& name)
{
    return remote::tls_transport({
        .certificate = folder / (name + ".pem"),
        .key = folder / (name + ".key"),
        .authorities = folder / "ca.pem",
    });
}

costar::wire::dictionary all_words()
{
    costar::wire::dictionary words;
    words.add<hello>();
    return words;
}

task<> host(context& self)
{
    while (message m = co_await self.receive())
        m.match([](const hello& said) { return "hello " + said.name; });
}

int meet(const std::filesystem::path& ours, const std::filesystem::path& others)
{
    costar::engine second;
    remote::node there(second, all_words(),
        {
            .name = "second",
            .listen = "127.0.0.1:0",
            .allowed = {"first"},
            .network = over_tls(ours, "second"),
        });
    second.spawn("host", host);
    const auto told = std::make_shared<std::promise<std::string>>();
    const auto refusals = second.events().subscribe<remote::peer_refused>(
        [told](const remote::peer_refused& each) { told->set_value(text_of(each.number)); });

    costar::engine first;
    remote::node here(first, all_words(), {.name = "first", .network = over_tls(ours, "first")});
    const pid far = here.find(there.address(), "host", asio::use_future).get();
    fmt::print("first: {}\n", first.ask(far, hello{"alice"}, asio::use_future).get());

    costar::engine third;
    remote::node stranger(third, all_words(), {.name = "first", .network = over_tls(others, "first")});
    try {
        stranger.find(there.address(), "host", asio::use_future).get();
    } catch (const boost::system::system_error&) {
        fmt::print("stranger: not let in\n");
    }
    fmt::print("second: {}\n", told->get_future().get());
    return 0;
}

}  // namespace

int main(int count, char** arguments)
{
    costar::set_log_sink([](costar::log_level, std::string_view) {});
    std::string made = std::filesystem::temp_directory_path() / "costar_tls_XXXXXX";
    if (mkdtemp(made.data()) == nullptr)
        return 1;
    const std::filesystem::path folder = made;
    const std::filesystem::path ours = count > 1 ? arguments[1] : folder / "ours";
    int result = 1;
    if ((count > 1 || make_in(ours)) && make_in(folder / "others"))
        result = meet(ours, folder / "others");
    else
        fmt::print("the openssl tool is needed\n");
    std::filesystem::remove_all(folder);
    return result;
}
