// SPDX-License-Identifier: MIT

// Messages as Cap'n Proto of an installed costar, in a program that has no schema of its own.

#include <costar/wire/dictionary.hpp>
#include <costar/wire/flat_message.hpp>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace {

/// Addresses do not occur here.
struct no_pids final : costar::wire::pid_translator {
    void write(costar::pid, costar::schema::Pid::Builder) const override {}
    costar::pid read(costar::schema::Pid::Reader) const override { return {}; }
};

}  // namespace

int main()
{
    costar::wire::dictionary words;
    words.add<std::string>();
    const no_pids pids;
    const std::string said = "hello from an installed costar";

    costar::wire::flat_writer writer;
    const auto* known = words.find(costar::machine::type_of<std::string>);
    std::vector<std::uint64_t> bytes(writer.write(*known, &said, pids) / sizeof(std::uint64_t));
    auto* begin = reinterpret_cast<kj::byte*>(bytes.data());
    writer.copy_to(begin);
    const auto read = costar::wire::read_flat(*words.find(known->id), {begin, bytes.size() * 8}, pids);
    std::puts(read->as<std::string>().c_str());
}
