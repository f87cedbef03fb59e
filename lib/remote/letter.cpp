// SPDX-License-Identifier: MIT

#include "letter.hpp"

namespace costar::remote {

wire::flat_writer& writer_of_thread()
{
    thread_local wire::flat_writer writer;
    return writer;
}

std::size_t bytes_of(const headers& with) noexcept
{
    std::size_t all = 0;
    for (const auto& [name, value] : with)
        all += name.size() + value.size() + 32;
    return all;
}

errc letter::write(const wire::codec& known, const void* message, const wire::pid_translator& pids) noexcept
{
    wire::flat_writer& writer = writer_of_thread();
    try {
        const std::size_t size = writer.write(known, message, pids);
        type = known.id;
        if (writer.is_large()) {
            large = std::make_unique<wire::large_message>(writer.take());
            return {};
        }
        body.resize(size / sizeof(std::uint64_t), boost::container::default_init);
        writer.copy_to(reinterpret_cast<kj::byte*>(body.data()));
        return {};
    } catch (...) {
        return errc::no_wire_form;
    }
}

void letter::empty() noexcept
{
    body.clear();
    large.reset();
}

machine::held_envelope letter::read(const wire::codec& known, const wire::pid_translator& pids) const
{
    auto made = wire::read_flat(known, body_bytes(), pids);
    made->sender = sender;
    return made;
}

}  // namespace costar::remote
