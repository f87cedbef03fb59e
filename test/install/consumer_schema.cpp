// SPDX-License-Identifier: MIT

// Messages and interfaces that an installed capnpc-costar makes of a schema.

#include <costar/wire/dictionary.hpp>
#include <costar/wire/flat_message.hpp>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "greeting.costar.hpp"

namespace {

/// Addresses do not occur here.
struct no_pids final : costar::wire::pid_translator {
    void write(costar::pid, costar::schema::Pid::Builder) const override {}
    costar::pid read(costar::schema::Pid::Reader) const override { return {}; }
};

/// Is compiled and linked.
struct greeter final : consumer::greeter_server {
    costar::task<std::string> greet(consumer::greeter::name message) override { co_return message.text; }
};

}  // namespace

int main()
{
    costar::wire::dictionary words;
    words.add<consumer::greeting>();
    const no_pids pids;
    const consumer::greeting said;

    costar::wire::flat_writer writer;
    const auto* known = words.find(costar::machine::type_of<consumer::greeting>);
    std::vector<std::uint64_t> bytes(writer.write(*known, &said, pids) / sizeof(std::uint64_t));
    auto* begin = reinterpret_cast<kj::byte*>(bytes.data());
    writer.copy_to(begin);
    const auto read = costar::wire::read_flat(*words.find(known->id), {begin, bytes.size() * 8}, pids);
    const consumer::greeter_server& server = greeter();
    static_cast<void>(server);
    std::puts(read->as<consumer::greeting>().text.c_str());
}
