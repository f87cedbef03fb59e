// SPDX-License-Identifier: MIT

// A node whose actor a Python program asks: client.py, which lies beside this file. It prints its address,
// and ends when its input does.
//
//     build/demos/remote/36_python_client          prints 127.0.0.1:40815, say
//     python3 client.py 127.0.0.1:40815            in another terminal; needs pycapnp

#include <costar/actor/engine.hpp>
#include <costar/core/log.hpp>
#include <costar/remote/node.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "hello.costar.hpp"  // made of ../hello.capnp by capnpc-costar

namespace {

costar::task<> host(costar::context& self)
{
    while (costar::message m = co_await self.receive())
        m.match([](const demo::hello& said) { return "hello " + said.name; });
}

}  // namespace

int main()
{
    costar::set_log_sink([](costar::log_level, std::string_view) {});
    costar::wire::dictionary words;
    words.add<demo::hello>();
    costar::engine engine;
    costar::remote::node node(engine, std::move(words), {.listen = "127.0.0.1:0"});
    engine.spawn("host", host);
    fmt::print("{}\n", node.address());
    std::fflush(stdout);
    while (std::getchar() != EOF)
        ;
}
