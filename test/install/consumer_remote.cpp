// SPDX-License-Identifier: MIT

// Two nodes of an installed costar in one program, which has no schema of its own.

#include <costar/core/log.hpp>
#include <costar/remote/node.hpp>

#include <boost/asio/use_future.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

namespace {

struct question {
    using reply = std::string;
};

costar::task<> host(costar::context& self)
{
    while (costar::message m = co_await self.receive())
        m.match([](const question&) { return std::string("hello from an installed costar"); });
}

}  // namespace

template <>
struct costar::wire::mapping<question> {
    using schema = costar::schema::Nothing;
    static void write(const question&, schema::Builder) {}
    static question read(schema::Reader) { return {}; }
};

int main()
{
    costar::set_log_sink([](costar::log_level, std::string_view) {});
    costar::wire::dictionary words;
    words.add<question>();
    costar::engine here({.strands = 1});
    costar::engine there({.strands = 1});
    costar::remote::node client(here, words);
    const costar::remote::node server(there, words, {.listen = "127.0.0.1:0"});
    there.spawn("host", host);

    const costar::pid far = client.find(server.address() + "/host", boost::asio::use_future).get();
    std::puts(here.ask(far, question{}, std::chrono::seconds(5), boost::asio::use_future).get().c_str());
}
